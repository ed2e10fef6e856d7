//! Logins: the first of a user, and the second.

use anyhow::Result;

use crate::world::{ALICE, BOB, Login, MANAGER, SEAT0, World};

/// What everybody sees of a first login, and what is told about it.
pub(crate) fn first(w: &mut World) -> Result<()> {
    let root = &mut w.root()?;
    let leader = w.client("leader", ALICE)?;
    w.section("nobody is there");
    w.get_all(root, MANAGER, "Manager")?;
    w.get_all(root, SEAT0, "Seat")?;
    w.section("alice logs in for the first time, from elsewhere");
    let login = Login {
        kind: "tty",
        tty: "/dev/tty-fake",
        desktop: "Foo Bar",
        remote: true,
        remote_user: "rem ote",
        remote_host: "203.0.113.9",
        ..Login::of(ALICE, &leader)
    };
    let session = w.create(root, &login)?;
    w.section("what is told about it");
    w.get_all(root, &session.path, "Session")?;
    w.get_all(root, "/org/freedesktop/login1/user/_1001", "User")?;
    for property in ["IdleHint", "NCurrentSessions", "UserTasksMax"] {
        w.get(root, MANAGER, "Manager", property)?;
    }
    let keys = [
        "UID",
        "USER",
        "ACTIVE",
        "IS_DISPLAY",
        "STATE",
        "REMOTE",
        "TYPE",
        "ORIGINAL_TYPE",
        "CLASS",
        "SCOPE",
        "FIFO",
        "SEAT",
        "TTY",
        "DISPLAY",
        "REMOTE_HOST",
        "REMOTE_USER",
        "SERVICE",
        "DESKTOP",
        "VTNR",
        "LEADER",
        "REALTIME",
        "MONOTONIC",
        "CONTROLLER",
    ];
    w.file(&format!("/run/systemd/sessions/{}", session.id), "session file", &keys);
    let keys = [
        "NAME",
        "STATE",
        "STOPPING",
        "RUNTIME",
        "DISPLAY",
        "REALTIME",
        "MONOTONIC",
        "SEATS",
        "ACTIVE_SEATS",
        "ONLINE_SEATS",
    ];
    w.file("/run/systemd/users/1001", "user file", &keys);
    Ok(())
}

/// More sessions of somebody who is there, and of others.
pub(crate) fn second(w: &mut World) -> Result<()> {
    let root = &mut w.root()?;
    let (one, two, three) = (w.client("one", ALICE)?, w.client("two", ALICE)?, w.client("three", BOB)?);
    w.section("alice, twice");
    w.create(root, &Login::of(ALICE, &one))?;
    let better = Login { kind: "tty", tty: "tty-fake", ..Login::of(ALICE, &two) };
    let better = w.create(root, &better)?;
    w.get_all(root, &better.path, "Session")?;
    w.get_all(root, "/org/freedesktop/login1/user/_1001", "User")?;
    w.section("with the older method, which takes a number");
    let four = w.client("four", ALICE)?;
    w.manager(root, "CreateSession", &Login { class: "background", ..Login::of(ALICE, &four) }.old_args())?;
    w.section("bob");
    w.create(root, &Login::of(BOB, &three))?;
    w.manager(root, "ListSessions", &[])?;
    w.section("whoever leads a session, or is in one, does not lead another");
    w.manager(root, "CreateSessionWithPIDFD", &Login::of(BOB, &one).args())?;
    w.manager(root, "CreateSession", &Login::of(ALICE, &one).old_args())?;
    let inside = w.client("inside", BOB)?;
    w.place_in(&inside, ALICE, &better)?;
    w.manager(root, "CreateSessionWithPIDFD", &Login::of(BOB, &inside).args())?;
    w.section("the caller itself");
    let caller = &mut w.client("caller", 0)?;
    w.manager(caller, "CreateSession", &Login { pid: 0, ..Login::of(BOB, caller) }.old_args())?;
    w.settle(root)
}
