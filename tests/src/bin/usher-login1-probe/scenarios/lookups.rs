//! Finding objects: by name, by process, and by who asks.

use anyhow::Result;

use crate::client::Client;
use crate::wire::Arg;
use crate::world::{ALICE, BOB, Login, NOBODY, PROPERTIES, World, s};

const BASE: &str = "/org/freedesktop/login1";

/// By those inside: of a session, of a user manager, of the manager's own session.
pub(crate) fn lookups(w: &mut World) -> Result<()> {
    let root = &mut w.root()?;
    let mut leader = w.client("leader", ALICE)?;
    let session = w.create(root, &Login { kind: "tty", tty: "tty-fake", ..Login::of(ALICE, &leader) })?;
    w.section("by name");
    for (method, arg) in [
        ("GetSession", s(&session.id)),
        ("GetUser", Arg::U(ALICE)),
        ("GetSeat", s("seat0")),
        ("GetSessionByPID", Arg::Pid(leader.pid())),
        ("GetUserByPID", Arg::Pid(leader.pid())),
    ] {
        w.manager(root, method, &[arg])?;
    }
    w.section("for somebody in alice's session");
    everything(w, &mut leader)?;
    w.section("for root in alice's session");
    let mut visitor = w.client("visitor", 0)?;
    w.place_in(&visitor, ALICE, &session)?;
    everything(w, &mut visitor)?;
    w.section("for a service of alice's");
    let mut service = w.client("service", ALICE)?;
    w.place(&service, "/user.slice/user-1001.slice/user@1001.service/init.scope")?;
    everything(w, &mut service)?;
    w.manager(root, "GetSessionByPID", &[Arg::Pid(service.pid())])?;
    w.manager(root, "GetUserByPID", &[Arg::Pid(service.pid())])?;
    w.section("for a service of alice's that is bob's process");
    let mut other = w.client("other", BOB)?;
    w.place(&other, "/user.slice/user-1001.slice/user@1001.service/init.scope")?;
    everything(w, &mut other)
}

/// By those outside, and of what is not there.
pub(crate) fn outside(w: &mut World) -> Result<()> {
    let root = &mut w.root()?;
    let mut alice = w.client("alice", ALICE)?;
    w.section("nobody is there");
    everything(w, &mut alice)?;
    let leader = w.client("leader", ALICE)?;
    w.create(root, &Login { kind: "tty", tty: "tty-fake", ..Login::of(ALICE, &leader) })?;
    w.section("alice has a session, and asks from outside of it");
    everything(w, &mut alice)?;
    w.section("what is not there");
    for (method, arg) in [
        ("GetSession", s("nosuch")),
        ("GetSession", s("no such")),
        ("GetUser", Arg::U(BOB)),
        ("GetUser", Arg::U(NOBODY)),
        ("GetUser", Arg::U(0)),
        ("GetSeat", s("seat-nosuch")),
        ("GetSeat", s("no such")),
        ("GetSessionByPID", Arg::U(1)),
        ("GetUserByPID", Arg::U(1)),
        ("GetSessionByPID", Arg::U(4_194_304)),
        ("GetUserByPID", Arg::U(4_194_304)),
        ("GetSessionByPID", Arg::U(u32::MAX)),
        ("GetSessionByPID", Arg::Pid(root.pid())),
        ("GetUserByPID", Arg::Pid(root.pid())),
    ] {
        w.manager(root, method, &[arg])?;
    }
    Ok(())
}

/// Every way of asking for one's own.
fn everything(w: &mut World, who: &mut Client) -> Result<()> {
    for (method, arg) in [
        ("GetSession", s("")),
        ("GetSession", s("self")),
        ("GetSession", s("auto")),
        ("GetSessionByPID", Arg::U(0)),
        ("GetUser", Arg::U(u32::MAX)),
        ("GetUserByPID", Arg::U(0)),
        ("GetSeat", s("")),
        ("GetSeat", s("self")),
        ("GetSeat", s("auto")),
    ] {
        w.manager(who, method, &[arg])?;
    }
    for (path, interface, property) in [
        ("session/self", "Session", "Id"),
        ("session/auto", "Session", "Id"),
        ("user/self", "User", "UID"),
        ("seat/self", "Seat", "Id"),
        ("seat/auto", "Seat", "Id"),
    ] {
        let args = [s(&format!("org.freedesktop.login1.{interface}")), s(property)];
        w.call(who, &format!("{BASE}/{path}"), &format!("{PROPERTIES}.Get"), &args)?;
    }
    Ok(())
}
