//! What alice may and may not, where there is no polkit to ask.

use anyhow::Result;

use crate::client::Client;
use crate::wire::Arg;
use crate::world::{ALICE, BOB, Login, MANAGER, PROPERTIES, SEAT0, Session, World, s};

pub(crate) fn denied(w: &mut World) -> Result<()> {
    let root = &mut w.root()?;
    let mut alice = w.client("alice", ALICE)?;
    let one = w.client("one", ALICE)?;
    let two = w.client("two", BOB)?;
    let own = w.create(root, &Login { seat: "seat0", kind: "wayland", ..Login::of(ALICE, &one) })?;
    let other = w.create(root, &Login { seat: "seat0", kind: "wayland", ..Login::of(BOB, &two) })?;
    w.section("what is root's alone");
    let login = Login::of(ALICE, &alice);
    w.manager(&mut alice, "CreateSessionWithPIDFD", &login.args())?;
    w.manager(&mut alice, "CreateSession", &login.old_args())?;
    let set = [s("org.freedesktop.login1.Manager"), s("EnableWallMessages"), Arg::V(Box::new(Arg::B(false)))];
    w.call(&mut alice, MANAGER, &format!("{PROPERTIES}.Set"), &set)?;
    let log = [s("org.freedesktop.LogControl1"), s("LogLevel"), Arg::V(Box::new(s("debug")))];
    w.call(&mut alice, "/org/freedesktop/LogControl1", &format!("{PROPERTIES}.Set"), &log)?;
    w.section("bob's");
    session(w, &mut alice, &other)?;
    w.manager(&mut alice, "KillUser", &[Arg::U(BOB), Arg::I(28)])?;
    w.manager(&mut alice, "KillUser", &[Arg::U(BOB), Arg::I(0)])?;
    w.manager(&mut alice, "TerminateUser", &[Arg::U(BOB)])?;
    w.call(&mut alice, "/org/freedesktop/login1/user/_1002", "User.Terminate", &[])?;
    w.call(&mut alice, "/org/freedesktop/login1/user/_1002", "User.Kill", &[Arg::I(28)])?;
    w.section("everybody's");
    for (method, args) in [
        ("LockSessions", &[][..]),
        ("UnlockSessions", &[]),
        ("TerminateSeat", &[s("seat0")]),
        ("TerminateSeat", &[s("nosuch")]),
        ("ActivateSessionOnSeat", &[s(&own.id), s("seat0")]),
        ("ActivateSessionOnSeat", &[s(&own.id), s("nosuch")]),
        ("AttachDevice", &[s("seat0"), s("/sys/devices/virtual/mem/null"), Arg::B(false)]),
        ("FlushDevices", &[Arg::B(false)]),
        ("SetRebootToFirmwareSetup", &[Arg::B(true)]),
        ("TerminateSession", &[s("nosuch")]),
        ("TerminateUser", &[Arg::U(12345)]),
    ] {
        w.manager(&mut alice, method, args)?;
    }
    for (method, args) in [
        ("Terminate", &[][..]),
        ("ActivateSession", &[s(&own.id)]),
        ("SwitchTo", &[Arg::U(1)]),
        ("SwitchTo", &[Arg::U(0)]),
        ("SwitchToNext", &[]),
        ("SwitchToPrevious", &[]),
    ] {
        w.call(&mut alice, SEAT0, &format!("Seat.{method}"), args)?;
    }
    w.section("her own");
    session(w, &mut alice, &own)?;
    w.settle(root)?;
    w.manager(&mut alice, "KillUser", &[Arg::U(ALICE), Arg::I(28)])?;
    w.manager(&mut alice, "TerminateSession", &[s(&own.id)])?;
    w.wait(root, "Manager.UserRemoved")?;
    w.settle(root)
}

/// Everything that one can want of a session, but its end if it is one's own.
fn session(w: &mut World, who: &mut Client, session: &Session) -> Result<()> {
    for (method, args) in [
        ("SetIdleHint", &[Arg::B(true)][..]),
        ("SetLockedHint", &[Arg::B(true)]),
        ("Lock", &[]),
        ("Unlock", &[]),
        ("Activate", &[]),
        ("Kill", &[s("leader"), Arg::I(28)]),
        ("Kill", &[s("leader"), Arg::I(0)]),
        ("Kill", &[s("everybody"), Arg::I(28)]),
        ("SetClass", &[s("user")]),
        ("SetType", &[s("x11")]),
        ("SetDisplay", &[s(":0")]),
        ("TakeControl", &[Arg::B(true)]),
        ("TakeControl", &[Arg::B(false)]),
        ("ReleaseControl", &[]),
        ("SetBrightness", &[s("leds"), s("nosuch"), Arg::U(1)]),
    ] {
        w.session(who, session, method, args)?;
    }
    for (method, args) in [
        ("LockSession", &[s(&session.id)][..]),
        ("UnlockSession", &[s(&session.id)]),
        ("ActivateSession", &[s(&session.id)]),
        ("KillSession", &[s(&session.id), s("leader"), Arg::I(28)]),
        ("ReleaseSession", &[s(&session.id)]),
    ] {
        w.manager(who, method, args)?;
    }
    if session.fd.ends_with("two") {
        w.manager(who, "TerminateSession", &[s(&session.id)])?;
        w.session(who, session, "Terminate", &[])?;
    }
    Ok(())
}
