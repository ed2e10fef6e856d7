//! Debian with runit.

mod boot_common;

use boot_common::image::Init;
use boot_common::story;

const RUNIT: Init = Init {
    name: "runit",
    packages: &["systemd", "runit-init"],
    setup: r"
rm -f /etc/runit/runsvdir/default/getty-*
mkdir /etc/sv/getty-console
printf '#!/bin/sh\nexec getty --noclear 38400 console linux\n' > /etc/sv/getty-console/run
chmod 755 /etc/sv/getty-console/run
ln -s /etc/sv/ssh /etc/runit/runsvdir/default/
ln -s /etc/sv/getty-console /etc/runit/runsvdir/default/
",
    ready: "sv check ssh && ps -e -o args= | grep -q '^getty.*console'",
};

#[test]
fn people_log_in_linger_and_the_machine_goes_down_in_order() {
    story::is_installed_and_rebooted(&RUNIT);
}

#[test]
fn the_package_is_taken_out_and_people_log_in() {
    story::is_taken_out(&RUNIT);
}
