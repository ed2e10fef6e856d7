//! Lists of what there is.

use anyhow::Result;

use crate::world::{ALICE, BOB, Login, World};

const LISTS: [&str; 5] = ["ListSessions", "ListSessionsEx", "ListUsers", "ListSeats", "ListInhibitors"];

pub(crate) fn lists(w: &mut World) -> Result<()> {
    let root = &mut w.root()?;
    w.section("nobody is there");
    for list in LISTS {
        w.manager(root, list, &[])?;
    }
    let (one, two, three) = (w.client("one", ALICE)?, w.client("two", BOB)?, w.client("three", ALICE)?);
    w.create(root, &Login { kind: "tty", tty: "tty-fake", ..Login::of(ALICE, &one) })?;
    w.create(root, &Login { kind: "x11", display: ":7", ..Login::of(BOB, &two) })?;
    w.create(root, &Login { seat: "seat0", ..Login::of(ALICE, &three) })?;
    w.section("alice and bob");
    for list in LISTS {
        w.manager(root, list, &[])?;
    }
    w.section("as bob sees it");
    let bob = &mut w.client("bob", BOB)?;
    for list in LISTS {
        w.manager(bob, list, &[])?;
    }
    Ok(())
}
