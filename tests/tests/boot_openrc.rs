//! Debian with OpenRC.

mod boot_common;

use boot_common::image::{INITTAB, INITTAB_READY, Init};
use boot_common::story;

/// OpenRC is run by sysvinit's init on Debian.
const OPENRC: Init = Init {
    name: "openrc",
    packages: &["systemd", "sysvinit-core", "openrc"],
    setup: INITTAB,
    ready: INITTAB_READY,
};

#[test]
fn people_log_in_linger_and_the_machine_goes_down_in_order() {
    story::is_installed_and_rebooted(&OPENRC);
}

#[test]
fn the_package_is_taken_out_and_people_log_in() {
    story::is_taken_out(&OPENRC);
}
