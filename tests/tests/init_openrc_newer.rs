//! usherd by the OpenRC of Debian 13, in a container.

mod init_common;

use init_common::openrc::*;
use init_common::*;
use usher_tests::{Container, Image};

/// A first process that does what every first process has to: wait for whoever is left to it.
const FIRST: [&str; 3] = ["/bin/sh", "-c", "touch /run/ready; while :; do sleep 1000 & wait $!; done"];

fn image() -> Image {
    Image::debian("openrc")
        .packages(&["openrc", "systemd", "libpam-modules"])
        .setup("useradd --create-home --uid 1001 alice; useradd --create-home --uid 1002 bob")
}

fn container(image: &Image) -> Container {
    let start = image
        .container()
        .init(&FIRST, &["test", "-e", "/run/ready"])
        .file("/etc/init.d/usherd", SCRIPT, 0o755)
        .file("/etc/conf.d/usherd", CONFD, 0o644)
        .file("/etc/init.d/localmount", LOCALMOUNT, 0o755);
    let container = install(start).boot();
    container.sh(UP);
    container
}

#[test]
fn it_lives() {
    let image = image();
    Service::new(&container(&image), INIT).lives();
}

#[test]
fn it_refuses_beside_another_broker() {
    let image = image();
    Service::new(&container(&image), INIT).refuses_beside_another("the system log says why");
}
