//! Signals to sessions and users.

use anyhow::Result;

use crate::wire::Arg;
use crate::world::{ALICE, BOB, Login, World, s};

pub(crate) fn killing(w: &mut World) -> Result<()> {
    let root = &mut w.root()?;
    let one = w.client("one", ALICE)?;
    let two = w.client("two", ALICE)?;
    let three = w.client("three", BOB)?;
    let four = w.client("four", ALICE)?;
    let session = w.create(root, &Login::of(ALICE, &one))?;
    let other = w.create(root, &Login::of(ALICE, &two))?;
    w.create(root, &Login::of(BOB, &three))?;
    let five = w.client("five", 0)?;
    let login = w.create(root, &Login::of(ALICE, &five))?;
    let manager = w.create(root, &Login { class: "manager", ..Login::of(ALICE, &four) })?;
    w.section("what is no signal, and no part of a session");
    for (whom, signal) in
        [("leader", 0), ("leader", -1), ("leader", 65), ("all", 1000), ("everybody", 15), ("everybody", 0)]
    {
        w.session(root, &session, "Kill", &[s(whom), Arg::I(signal)])?;
        w.manager(root, "KillSession", &[s(&session.id), s(whom), Arg::I(signal)])?;
    }
    w.manager(root, "KillSession", &[s("nosuch"), s("all"), Arg::I(15)])?;
    w.manager(root, "KillSession", &[s("nosuch"), s("everybody"), Arg::I(0)])?;
    w.manager(root, "KillUser", &[Arg::U(ALICE), Arg::I(0)])?;
    w.manager(root, "KillUser", &[Arg::U(ALICE), Arg::I(65)])?;
    w.manager(root, "KillUser", &[Arg::U(0), Arg::I(15)])?;
    w.call(root, "/org/freedesktop/login1/user/_1001", "User.Kill", &[Arg::I(0)])?;
    w.section("signals that nobody minds");
    for whom in ["leader", "all", ""] {
        w.session(root, &session, "Kill", &[s(whom), Arg::I(28)])?;
        w.session(root, &manager, "Kill", &[s(whom), Arg::I(28)])?;
    }
    w.manager(root, "KillUser", &[Arg::U(BOB), Arg::I(28)])?;
    w.settle(root)?;
    w.section("the leader, which is root's process as it mostly is, killed");
    w.session(root, &login, "Kill", &[s("leader"), Arg::I(28)])?;
    w.manager(root, "KillSession", &[s(&login.id), s("leader"), Arg::I(9)])?;
    w.wait(root, "Manager.SessionRemoved")?;
    w.settle(root)?;
    w.section("everybody in the session, killed");
    w.session(root, &other, "Kill", &[s("all"), Arg::I(9)])?;
    w.wait(root, "Manager.SessionRemoved")?;
    w.settle(root)?;
    w.session(root, &other, "Kill", &[s("all"), Arg::I(9)]).map(drop)
}
