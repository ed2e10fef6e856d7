//! Power, as far as it can be asked about without going off, and inhibitors.

use anyhow::Result;

use crate::wire::Arg;
use crate::world::{ALICE, Login, MANAGER, World, s};

const VERBS: [&str; 8] =
    ["PowerOff", "Reboot", "Halt", "Suspend", "Hibernate", "HybridSleep", "SuspendThenHibernate", "Sleep"];

pub(crate) fn power(w: &mut World) -> Result<()> {
    let root = &mut w.root()?;
    let mut alice = w.client("alice", ALICE)?;
    w.section("what the machine can do");
    for verb in VERBS {
        w.manager(root, &format!("Can{verb}"), &[])?;
        w.manager(&mut alice, &format!("Can{verb}"), &[])?;
    }
    for question in
        ["RebootParameter", "RebootToFirmwareSetup", "RebootToBootLoaderMenu", "RebootToBootLoaderEntry"]
    {
        w.manager(root, &format!("Can{question}"), &[])?;
    }
    w.section("what it cannot do, or alice may not");
    for verb in VERBS.iter().filter(|verb| **verb != "Sleep") {
        w.manager(&mut alice, verb, &[Arg::B(false)])?;
        w.manager(&mut alice, &format!("{verb}WithFlags"), &[Arg::T(0)])?;
    }
    w.manager(&mut alice, "Sleep", &[Arg::T(0)])?;
    w.manager(root, "PowerOffWithFlags", &[Arg::T(1 << 20)])?;
    w.manager(root, "RebootWithFlags", &[Arg::T(1 << 20)])?;
    w.manager(root, "SetRebootParameter", &[s("x")])?;
    w.manager(root, "SetRebootToFirmwareSetup", &[Arg::B(true)])?;
    w.manager(root, "SetRebootToBootLoaderMenu", &[Arg::T(1)])?;
    w.manager(root, "SetRebootToBootLoaderEntry", &[s("x")])?;
    w.section("later");
    w.manager(root, "ScheduleShutdown", &[s("nonsense"), Arg::T(u64::MAX)])?;
    w.manager(&mut alice, "ScheduleShutdown", &[s("poweroff"), Arg::T(1 << 62)])?;
    w.manager(root, "CancelScheduledShutdown", &[])?;
    w.manager(&mut alice, "CancelScheduledShutdown", &[])?;
    w.get(root, MANAGER, "Manager", "ScheduledShutdown")?;
    w.section("words on the wall");
    w.manager(root, "SetWallMessage", &[s("hello"), Arg::B(false)])?;
    w.get(root, MANAGER, "Manager", "WallMessage")?;
    w.get(root, MANAGER, "Manager", "EnableWallMessages")?;
    w.manager(root, "SetWallMessage", &[s(&"x".repeat(4097)), Arg::B(true)])?;
    w.manager(&mut alice, "SetWallMessage", &[s("hello"), Arg::B(false)])?;
    w.manager(&mut alice, "SetWallMessage", &[s("bye"), Arg::B(false)])?;
    w.settle(root)
}

pub(crate) fn inhibit(w: &mut World) -> Result<()> {
    let root = &mut w.root()?;
    let mut alice = w.client("alice", ALICE)?;
    let leader = w.client("leader", ALICE)?;
    w.create(root, &Login::of(ALICE, &leader))?;
    w.section("what is no lock");
    for (what, mode) in [
        ("nonsense", "block"),
        ("", "block"),
        ("sleep:nonsense", "delay"),
        ("sleep", "nonsense"),
        ("sleep", ""),
        ("idle", "delay"),
        ("handle-lid-switch", "delay"),
    ] {
        w.manager(root, "Inhibit", &[s(what), s("who"), s("why"), s(mode)])?;
    }
    w.section("locks");
    let mut locks = Vec::new();
    for (number, (what, mode)) in
        [("shutdown:sleep", "delay"), ("idle", "block"), ("sleep", "block-weak")].into_iter().enumerate()
    {
        let args = [s(what), s("A B"), s("x=y"), s(mode)];
        let lock = format!("lock {number}");
        let answer = w.call_holding(root, MANAGER, "Manager.Inhibit", &args, Some(&lock))?;
        locks.push((lock, !answer.is_empty()));
        w.settle(root)?;
    }
    w.manager(root, "ListInhibitors", &[])?;
    for property in
        ["BlockInhibited", "BlockWeakInhibited", "DelayInhibited", "NCurrentInhibitors", "IdleHint"]
    {
        w.get(root, MANAGER, "Manager", property)?;
    }
    w.section("they go");
    for (lock, held) in locks {
        w.section(&lock);
        if held {
            w.close_quietly(root, &lock)?;
            w.wait(root, "Manager.PropertiesChanged")?;
            w.settle(root)?;
        }
    }
    w.manager(root, "ListInhibitors", &[])?;
    w.section("as alice");
    for (what, mode) in [
        ("sleep", "delay"),
        ("sleep", "block"),
        ("idle", "block"),
        ("shutdown", "block"),
        ("handle-power-key", "block"),
    ] {
        w.manager(&mut alice, "Inhibit", &[s(what), s("who"), s("why"), s(mode)])?;
        w.settle(root)?;
    }
    Ok(())
}
