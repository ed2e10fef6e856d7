//! Hints, and requests to lock the screen.

use anyhow::Result;

use crate::wire::Arg;
use crate::world::{ALICE, BOB, Login, MANAGER, World, s};

pub(crate) fn hints(w: &mut World) -> Result<()> {
    let root = &mut w.root()?;
    let mut one = w.client("one", ALICE)?;
    let two = w.client("two", ALICE)?;
    let three = w.client("three", ALICE)?;
    let graphical = Login { kind: "wayland", seat: "seat0", ..Login::of(ALICE, &one) };
    let graphical = w.create(root, &graphical)?;
    let terminal = w.create(root, &Login { kind: "tty", tty: "tty-fake", ..Login::of(ALICE, &two) })?;
    let background =
        w.create(root, &Login { class: "background", kind: "wayland", ..Login::of(ALICE, &three) })?;
    w.section("idle");
    for hint in [true, true, false] {
        w.session(root, &graphical, "SetIdleHint", &[Arg::B(hint)])?;
        w.settle(root)?;
    }
    w.session(&mut one, &graphical, "SetIdleHint", &[Arg::B(true)])?;
    w.settle(root)?;
    w.get(root, &graphical.path, "Session", "IdleHint")?;
    w.get(root, &graphical.path, "Session", "IdleSinceHint")?;
    w.get(root, MANAGER, "Manager", "IdleHint")?;
    w.get(root, "/org/freedesktop/login1/user/_1001", "User", "IdleHint")?;
    w.session(root, &terminal, "SetIdleHint", &[Arg::B(true)])?;
    w.session(root, &background, "SetIdleHint", &[Arg::B(true)])?;
    w.section("locked");
    w.session(root, &graphical, "SetLockedHint", &[Arg::B(true)])?;
    w.session(root, &graphical, "SetLockedHint", &[Arg::B(true)])?;
    w.get(root, &graphical.path, "Session", "LockedHint")?;
    w.session(&mut one, &graphical, "SetLockedHint", &[Arg::B(false)])?;
    w.session(root, &terminal, "SetLockedHint", &[Arg::B(true)])?;
    w.session(root, &background, "SetLockedHint", &[Arg::B(true)])?;
    w.settle(root)?;
    w.section("locking");
    for (method, session) in
        [("Lock", &graphical), ("Unlock", &graphical), ("Lock", &terminal), ("Lock", &background)]
    {
        w.session(root, session, method, &[])?;
    }
    w.session(&mut one, &graphical, "Lock", &[])?;
    w.settle(root)?;
    for method in ["LockSession", "UnlockSession"] {
        for id in [graphical.id.as_str(), background.id.as_str(), "nosuch", "", "auto"] {
            w.manager(root, method, &[s(id)])?;
        }
    }
    w.manager(&mut one, "LockSession", &[s("")])?;
    w.settle(root)?;
    w.manager(root, "LockSessions", &[])?;
    w.manager(root, "UnlockSessions", &[])?;
    w.section("by somebody else");
    let bob = &mut w.client("bob", BOB)?;
    for (method, args) in [
        ("SetIdleHint", &[Arg::B(true)][..]),
        ("SetLockedHint", &[Arg::B(true)]),
        ("Lock", &[]),
        ("Unlock", &[]),
        ("SetClass", &[Arg::S("user".to_owned())]),
    ] {
        w.session(bob, &graphical, method, args)?;
    }
    w.session(bob, &background, "SetIdleHint", &[Arg::B(true)])?;
    w.session(bob, &background, "SetLockedHint", &[Arg::B(true)])?;
    w.settle(root)
}
