//! What objects say about themselves.

use anyhow::Result;

use crate::world::{ALICE, Login, World};

const INTROSPECT: &str = "org.freedesktop.DBus.Introspectable.Introspect";

pub(crate) fn introspection(w: &mut World) -> Result<()> {
    let root = &mut w.root()?;
    w.section("nobody is there");
    for path in ["/org/freedesktop/login1/session", "/org/freedesktop/login1/user"] {
        w.call(root, path, INTROSPECT, &[])?;
    }
    let mut leader = w.client("leader", ALICE)?;
    let session = w.create(root, &Login { seat: "seat0", ..Login::of(ALICE, &leader) })?;
    w.section("alice has a session");
    for path in [
        "/",
        "/org",
        "/org/freedesktop",
        "/org/freedesktop/login1",
        "/org/freedesktop/login1/seat",
        "/org/freedesktop/login1/seat/seat0",
        "/org/freedesktop/login1/session",
        &session.path,
        "/org/freedesktop/login1/user",
        "/org/freedesktop/login1/user/_1001",
        "/org/freedesktop/LogControl1",
        "/org/freedesktop/login1/session/nosuch",
        "/no/such/object",
    ] {
        w.call(root, path, INTROSPECT, &[])?;
    }
    w.section("and asks from inside");
    for path in
        ["/org/freedesktop/login1/seat", "/org/freedesktop/login1/session", "/org/freedesktop/login1/user"]
    {
        w.call(&mut leader, path, INTROSPECT, &[])?;
    }
    Ok(())
}
