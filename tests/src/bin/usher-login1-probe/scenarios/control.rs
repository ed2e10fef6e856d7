//! A session's controller, and what only that one may do.

use anyhow::Result;

use crate::client::Client;
use crate::wire::Arg;
use crate::world::{ALICE, BOB, Login, Session, World, s};

pub(crate) fn control(w: &mut World) -> Result<()> {
    let root = &mut w.root()?;
    let mut one = w.client("one", ALICE)?;
    let mut two = w.client("two", ALICE)?;
    let mut bob = w.client("bob", BOB)?;
    let login = Login { kind: "tty", tty: "tty-fake", ..Login::of(ALICE, &one) };
    let session = w.create(root, &login)?;
    w.section("without control");
    w.terminal(&mut one, "terminal")?;
    controlled(w, &mut one, &session)?;
    w.session(&mut one, &session, "ReleaseControl", &[])?;
    w.section("taking it");
    w.session(&mut bob, &session, "TakeControl", &[Arg::B(false)])?;
    w.session(&mut one, &session, "TakeControl", &[Arg::B(true)])?;
    w.session(&mut one, &session, "TakeControl", &[Arg::B(false)])?;
    w.session(&mut one, &session, "TakeControl", &[Arg::B(false)])?;
    w.session(&mut two, &session, "TakeControl", &[Arg::B(false)])?;
    w.session(root, &session, "TakeControl", &[Arg::B(false)])?;
    w.file(&format!("/run/systemd/sessions/{}", session.id), "session file", &["CONTROLLER", "TYPE"]);
    w.section("with control");
    controlled(w, &mut one, &session)?;
    w.settle(root)?;
    w.section("somebody else, meanwhile");
    controlled(w, &mut two, &session)?;
    w.session(&mut two, &session, "ReleaseControl", &[])?;
    w.section("root takes it away");
    w.session(root, &session, "TakeControl", &[Arg::B(true)])?;
    shown(w, root, &session)?;
    w.session(&mut one, &session, "SetType", &[s("wayland")])?;
    w.session(root, &session, "ReleaseControl", &[])?;
    w.session(root, &session, "ReleaseControl", &[])?;
    w.section("classes");
    let mut leaders = Vec::new();
    for class in ["background", "manager", "greeter", "user-incomplete"] {
        let leader = w.client(&format!("leader {class}"), ALICE)?;
        let session = w.create(root, &Login { class, ..Login::of(ALICE, &leader) })?;
        w.session(root, &session, "SetType", &[s("x11")])?;
        w.session(root, &session, "TakeControl", &[Arg::B(false)])?;
        w.session(root, &session, "SetType", &[s("x11")])?;
        w.session(root, &session, "SetDisplay", &[s(":3")])?;
        w.session(root, &session, "ReleaseControl", &[])?;
        leaders.push(leader);
    }
    Ok(())
}

/// The controller goes without a word.
pub(crate) fn lost(w: &mut World) -> Result<()> {
    let root = &mut w.root()?;
    let leader = w.client("leader", ALICE)?;
    let mut controller = w.client("controller", ALICE)?;
    let login = Login { kind: "tty", tty: "tty-fake", seat: "seat0", ..Login::of(ALICE, &leader) };
    let session = w.create(root, &login)?;
    w.session(&mut controller, &session, "TakeControl", &[Arg::B(false)])?;
    w.session(&mut controller, &session, "SetType", &[s("wayland")])?;
    w.settle(root)?;
    w.end(&mut controller)?;
    w.wait(root, "Session.PropertiesChanged")?;
    shown(w, root, &session)?;
    w.file(
        &format!("/run/systemd/sessions/{}", session.id),
        "session file",
        &["CONTROLLER", "TYPE", "ORIGINAL_TYPE"],
    );
    let mut next = w.client("next", ALICE)?;
    w.session(&mut next, &session, "TakeControl", &[Arg::B(false)]).map(drop)
}

/// Everything that needs control, but devices.
fn controlled(w: &mut World, who: &mut Client, session: &Session) -> Result<()> {
    w.session(who, session, "SetType", &[s("x12")])?;
    w.session(who, session, "SetDisplay", &[s(":1")])?;
    w.session(who, session, "SetType", &[s("wayland")])?;
    w.session(who, session, "SetDisplay", &[s(":1")])?;
    if who.name == "one" {
        w.session(who, session, "SetTTY", &[Arg::Held("terminal".to_owned())])?;
    }
    w.session(who, session, "SetTTY", &[Arg::Null])?;
    shown(w, who, session)
}

fn shown(w: &mut World, who: &mut Client, session: &Session) -> Result<()> {
    for property in ["Type", "Display", "TTY"] {
        w.get(who, &session.path, "Session", property)?;
    }
    Ok(())
}
