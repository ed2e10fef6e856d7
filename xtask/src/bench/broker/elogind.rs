//! elogind, as Debian packages it, in a container without systemd: PID 1 is a script that starts a system bus and elogind.

use anyhow::Result;
use usher_tests::Image;
use usher_tests::load::bus;

use super::{Broker, Daemons, Name, PERMIT, PERMIT_STACK, SERVICE, SETTINGS, World, make_users};

const PROGRAM: &str = "/usr/libexec/elogind";
/// A limit of descriptors for elogind, in words that a shell understands: the 1024 that every program has, with which it ends
/// at some 1000 sessions, or as many as it may have.
pub(super) const MANY_DESCRIPTORS: &str = "hard";
const FEW_DESCRIPTORS: &str = "1024";
/// As Debian's init scripts start both. PID 1 stays and reaps.
const INIT: &str = r#"
mkdir -p /run/dbus /run/systemd /run/user
hard=$(ulimit -Hn)
ulimit -Sn "$hard"
dbus-daemon --system --fork
[ "$1" = hard ] || ulimit -Sn "$1"
/usr/libexec/elogind --daemon
while :; do sleep 3600 & wait; done
"#;
const VERSION: [&str; 4] = ["dpkg-query", "--show", "--showformat=elogind ${Version}", "elogind"];

pub(super) fn boot(users: &[(u32, String)], descriptors: &str) -> Result<Broker> {
    let image = Image::debian("elogind").packages(&["elogind", "libpam-elogind", "dbus", "login"]);
    let container = image
        .container()
        .load_programs()?
        .file("/etc/elogind/logind.conf.d/50-bench.conf", SETTINGS, 0o644)
        .file(
            format!("/etc/pam.d/{SERVICE}"),
            &format!("{PERMIT_STACK}session optional pam_elogind.so\n"),
            0o644,
        )
        .file(
            format!("/etc/pam.d/{PERMIT}"),
            &format!("{PERMIT_STACK}session required pam_permit.so\n"),
            0o644,
        )
        .prepare(&make_users(users))
        .init(&["/bin/sh", "-c", INIT, "sh", descriptors], &["usher-bus-load", "await"])
        .try_boot()?;
    bus::await_owner(&container)?;
    let version = container.run(&VERSION).text().to_owned();
    Ok(Broker {
        name: Name::Elogind,
        version,
        _daemons: Daemons(Vec::new()),
        place: World::Container(Box::new(container)),
        daemon: "elogind-daemon",
        beside: &["dbus-daemon"],
        tool: "loginctl",
        restart: &[PROGRAM, "--daemon"],
    })
}

/// elogind as its init script starts it, to see what becomes of it with a thousand sessions.
pub(in crate::bench) fn boot_with_few_descriptors() -> Result<Broker> {
    let users: Vec<(u32, String)> = (super::FIRST_UID..).zip(super::users(0)).collect();
    boot(&users, FEW_DESCRIPTORS)
}
