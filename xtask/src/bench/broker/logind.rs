//! The real systemd-logind, in the container of the oracle, with systemd as PID 1.

use anyhow::Result;
use usher_tests::Oracle;
use usher_tests::load::bus;

use super::{Broker, Daemons, Name, PERMIT, PERMIT_STACK, SERVICE, SETTINGS, World, make_users};

pub(super) fn boot(users: &[(u32, String)]) -> Result<Broker> {
    let image = Oracle::image();
    let container = image
        .container()
        .load_programs()?
        .file("/etc/systemd/logind.conf.d/bench.conf", SETTINGS, 0o644)
        .file(
            format!("/etc/pam.d/{SERVICE}"),
            &format!("{PERMIT_STACK}session optional pam_systemd.so\n"),
            0o644,
        )
        .file(
            format!("/etc/pam.d/{PERMIT}"),
            &format!("{PERMIT_STACK}session required pam_permit.so\n"),
            0o644,
        )
        .prepare(&make_users(users))
        .try_boot()?;
    bus::await_owner(&container)?;
    let version = container.run(&["loginctl", "--version"]).stdout;
    Ok(Broker {
        name: Name::Logind,
        version: version.lines().next().unwrap_or_default().to_owned(),
        _daemons: Daemons(Vec::new()),
        place: World::Container(Box::new(container)),
        daemon: "systemd-logind",
        beside: &["dbus-daemon", "systemd", "systemd-journal"],
        tool: "loginctl",
        restart: &[],
    })
}
