//! Debian with sysvinit.

mod boot_common;

use boot_common::image::{INITTAB, INITTAB_READY, Init};
use boot_common::story;

const SYSVINIT: Init =
    Init { name: "sysvinit", packages: &["systemd", "sysvinit-core"], setup: INITTAB, ready: INITTAB_READY };

#[test]
fn people_log_in_linger_and_the_machine_goes_down_in_order() {
    story::is_installed_and_rebooted(&SYSVINIT);
}

#[test]
fn the_package_is_taken_out_and_people_log_in() {
    story::is_taken_out(&SYSVINIT);
}
