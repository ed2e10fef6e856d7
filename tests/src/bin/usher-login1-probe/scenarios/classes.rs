//! Classes and types of sessions: what is filled in, and what a class allows.

use anyhow::Result;

use crate::world::{ALICE, Login, World, s};

const CLASSES: [&str; 10] = [
    "user",
    "user-early",
    "user-incomplete",
    "greeter",
    "lock-screen",
    "background",
    "background-light",
    "manager",
    "manager-early",
    "",
];

/// Sessions of every class; types that follow from what is told; SetClass.
pub(crate) fn classes(w: &mut World) -> Result<()> {
    let root = &mut w.root()?;
    let first = w.client("first", ALICE)?;
    w.create(root, &Login::of(ALICE, &first))?;
    let mut leaders = Vec::new();
    for class in CLASSES {
        w.section(&format!("class {class:?}"));
        let leader = w.client(&format!("leader {class}"), ALICE)?;
        let login = Login { class, kind: "tty", tty: "tty-fake", ..Login::of(ALICE, &leader) };
        let session = w.create(root, &login)?;
        for property in ["Class", "Type", "CanIdle", "CanLock", "Scope", "State", "Active"] {
            w.get(root, &session.path, "Session", property)?;
        }
        w.session(root, &session, "Lock", &[])?;
        w.session(root, &session, "SetClass", &[s("background")])?;
        w.session(root, &session, "SetClass", &[s("user")])?;
        w.get(root, &session.path, "Session", "Class")?;
        leaders.push(leader);
    }
    w.section("types that follow");
    for (kind, tty, display) in [
        ("", "", ""),
        ("", "tty-fake", ""),
        ("", "", ":0"),
        ("", "tty-fake", ":0"),
        ("web", "", ""),
        ("mir", "", ""),
    ] {
        let leader = w.client("leader", ALICE)?;
        let session = w.create(root, &Login { kind, tty, display, ..Login::of(ALICE, &leader) })?;
        for property in ["Class", "Type", "TTY", "Display"] {
            w.get(root, &session.path, "Session", property)?;
        }
        leaders.push(leader);
    }
    Ok(())
}
