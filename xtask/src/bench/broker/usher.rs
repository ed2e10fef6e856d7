//! usher, in a machine in namespaces, with a system bus.

use anyhow::{Context, Result};
use usher_tests::Machine;
use usher_tests::load::bus;

use super::{Broker, Daemons, Name, SETTINGS, World};

/// What one of its users may have is a setting of its own.
const OWN: &str = "UserSessionsMax=20000\n";

pub(super) fn boot(users: &[(u32, String)]) -> Result<Broker> {
    let mut builder = Machine::builder().config(&format!("{SETTINGS}{OWN}"));
    for (uid, name) in users {
        builder = builder.user(name, *uid);
    }
    let machine = builder.sysfs_writable().try_boot()?;
    let mut daemons = Daemons(Vec::new());
    for words in
        [&["dbus-daemon", "--system", "--nofork", "--nopidfile", "--nosyslog"][..], &["/usr/sbin/usherd"]]
    {
        let mut command = machine.command(words);
        let log = std::fs::File::create(machine.file(format!("/run/sandbox/bench-{}.log", daemons.0.len())));
        let log = log.context("make a log file")?;
        command.stdout(log.try_clone().context("duplicate a descriptor")?).stderr(log);
        daemons.0.push(command.spawn().with_context(|| format!("run {}", words[0]))?);
    }
    bus::await_owner(&machine)?;
    let version = machine.run(&["usherctl", "--version"]).text().to_owned();
    Ok(Broker {
        name: Name::Usher,
        version,
        _daemons: daemons,
        place: World::Machine(Box::new(machine)),
        daemon: "usherd",
        beside: &["dbus-daemon"],
        tool: "usherctl",
        restart: &["/usr/sbin/usherd"],
    })
}
