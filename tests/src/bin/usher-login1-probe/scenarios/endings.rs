//! How sessions and users end.

use anyhow::Result;

use crate::wire::Arg;
use crate::world::{ALICE, BOB, Login, World, s};

const USER: &str = "/org/freedesktop/login1/user/_1001";

/// By themselves: the descriptor is closed, the leader ends, something stays behind; then the user goes.
pub(crate) fn endings(w: &mut World) -> Result<()> {
    let root = &mut w.root()?;
    let mut one = w.client("one", ALICE)?;
    let mut two = w.client("two", ALICE)?;
    let mut three = w.client("three", ALICE)?;
    let display = w.create(root, &Login { kind: "tty", tty: "tty-fake", ..Login::of(ALICE, &one) })?;
    let second = w.create(root, &Login::of(ALICE, &two))?;
    let third = w.create(root, &Login::of(ALICE, &three))?;
    w.section("the descriptor is closed while the leader lives");
    w.close(root, &third.fd)?;
    w.settle(root)?;
    w.get(root, &third.path, "Session", "State")?;
    w.section("and then the leader ends");
    w.end(&mut three)?;
    w.wait(root, "Manager.SessionRemoved")?;
    w.settle(root)?;
    w.section("the leader ends, somebody stays");
    let mut left = w.client("left", ALICE)?;
    w.place_in(&left, ALICE, &second)?;
    w.end(&mut two)?;
    w.wait_state(root, &second, "closing")?;
    w.settle(root)?;
    w.file(
        &format!("/run/systemd/sessions/{}", second.id),
        "session file",
        &["STATE", "ACTIVE", "FIFO", "SCOPE"],
    );
    w.manager(root, "ListSessions", &[])?;
    w.session(root, &second, "Lock", &[])?;
    w.get(root, USER, "User", "State")?;
    w.section("and ends as well");
    w.end(&mut left)?;
    w.wait(root, "Manager.SessionRemoved")?;
    w.settle(root)?;
    w.section("the last one, which is the display");
    w.end(&mut one)?;
    w.wait(root, "Manager.UserRemoved")?;
    w.settle(root)?;
    w.get(root, &display.path, "Session", "State")?;
    w.manager(root, "ListSessions", &[])?;
    w.manager(root, "ListUsers", &[])?;
    w.section("and alice comes again");
    let again = w.client("again", ALICE)?;
    w.create(root, &Login::of(ALICE, &again)).map(drop)
}

/// A session that is closing, with somebody who stays, is terminated.
pub(crate) fn closing(w: &mut World) -> Result<()> {
    let root = &mut w.root()?;
    let (other, mut leader, left) =
        (w.client("other", ALICE)?, w.client("leader", ALICE)?, w.client("left", ALICE)?);
    w.create(root, &Login::of(ALICE, &other))?;
    let session = w.create(root, &Login::of(ALICE, &leader))?;
    w.place_in(&left, ALICE, &session)?;
    w.end(&mut leader)?;
    w.wait_state(root, &session, "closing")?;
    w.session(root, &session, "Terminate", &[])?;
    w.whether_goes(&session);
    Ok(())
}

/// By an administrator's hand.
pub(crate) fn terminated(w: &mut World) -> Result<()> {
    let root = &mut w.root()?;
    let one = w.client("one", ALICE)?;
    let two = w.client("two", ALICE)?;
    let three = w.client("three", BOB)?;
    let four = w.client("four", BOB)?;
    let first = w.create(root, &Login { kind: "tty", tty: "tty-fake", ..Login::of(ALICE, &one) })?;
    w.create(root, &Login::of(ALICE, &two))?;
    let bobs = w.create(root, &Login::of(BOB, &three))?;
    w.create(root, &Login::of(BOB, &four))?;
    w.section("what is not there");
    w.manager(root, "TerminateSession", &[s("nosuch")])?;
    w.manager(root, "TerminateSession", &[s("")])?;
    w.manager(root, "TerminateUser", &[Arg::U(0)])?;
    w.manager(root, "TerminateUser", &[Arg::U(u32::MAX)])?;
    w.manager(root, "TerminateSeat", &[s("nosuch")])?;
    w.section("a session");
    w.manager(root, "TerminateSession", &[s(&first.id)])?;
    w.wait(root, "Manager.SessionRemoved")?;
    w.settle(root)?;
    w.session(root, &bobs, "Terminate", &[])?;
    w.wait(root, "Manager.SessionRemoved")?;
    w.settle(root)?;
    w.section("a user");
    w.manager(root, "TerminateUser", &[Arg::U(ALICE)])?;
    w.wait(root, "Manager.UserRemoved")?;
    w.settle(root)?;
    w.section("a seat where nobody is");
    w.manager(root, "TerminateSeat", &[s("seat0")])?;
    w.section("a user, as an object");
    w.call(root, "/org/freedesktop/login1/user/_1002", "User.Terminate", &[])?;
    w.wait(root, "Manager.UserRemoved")?;
    w.settle(root)?;
    w.manager(root, "ListSessions", &[]).map(drop)
}
