//! A logout as PAM does it: the session is released, then its leader ends.

use anyhow::Result;

use crate::world::{ALICE, Login, World, s};

pub(crate) fn release(w: &mut World) -> Result<()> {
    let root = &mut w.root()?;
    let mut one = w.client("one", ALICE)?;
    let mut two = w.client("two", ALICE)?;
    let session = w.create(root, &Login { kind: "tty", tty: "tty-fake", ..Login::of(ALICE, &one) })?;
    let other = w.create(root, &Login::of(ALICE, &two))?;
    let file = format!("/run/systemd/sessions/{}", session.id);
    w.section("by those who may not");
    w.manager(root, "ReleaseSession", &[s(&session.id)])?;
    w.manager(root, "ReleaseSession", &[s("nosuch")])?;
    w.manager(root, "ReleaseSession", &[s("")])?;
    w.manager(&mut two, "ReleaseSession", &[s(&session.id)])?;
    w.manager(&mut two, "ReleaseSession", &[s("nosuch")])?;
    w.get(root, &session.path, "Session", "State")?;
    w.section("from inside");
    w.manager(&mut one, "ReleaseSession", &[s(&session.id)])?;
    w.settle(root)?;
    w.get(root, &session.path, "Session", "State")?;
    w.get(root, "/org/freedesktop/login1/user/_1001", "User", "State")?;
    w.get(root, "/org/freedesktop/login1/user/_1001", "User", "Display")?;
    w.file(&file, "session file", &["STATE", "ACTIVE", "FIFO"]);
    w.manager(&mut one, "ReleaseSession", &[s("self")])?;
    w.session(root, &session, "Lock", &[])?;
    w.section("the leader ends; its creator still holds the descriptor");
    w.end(&mut one)?;
    w.wait(root, "Manager.SessionRemoved")?;
    w.settle(root)?;
    w.get(root, &session.path, "Session", "State")?;
    w.file(&file, "session file", &["STATE"]);
    w.get(root, "/org/freedesktop/login1/user/_1001", "User", "Display")?;
    w.get(root, &other.path, "Session", "State")
}
