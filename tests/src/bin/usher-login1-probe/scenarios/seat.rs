//! Two people at seat0, which has no virtual terminals.

use anyhow::Result;

use crate::client::Client;
use crate::wire::Arg;
use crate::world::{ALICE, BOB, Login, SEAT0, Session, World, s};

pub(crate) fn seat(w: &mut World) -> Result<()> {
    let root = &mut w.root()?;
    let mut one = w.client("one", ALICE)?;
    let mut two = w.client("two", BOB)?;
    let three = w.client("three", ALICE)?;
    w.section("alice sits down");
    let first = w.create(root, &Login { seat: "seat0", kind: "wayland", ..Login::of(ALICE, &one) })?;
    w.section("and then bob");
    let second = w.create(root, &Login { seat: "seat0", kind: "wayland", ..Login::of(BOB, &two) })?;
    let elsewhere = w.create(root, &Login::of(ALICE, &three))?;
    shown(w, root, &first, &second)?;
    w.get_all(root, SEAT0, "Seat")?;
    w.section("alice comes to the front, and bob again");
    w.session(root, &first, "Activate", &[])?;
    w.settle(root)?;
    w.session(root, &first, "Activate", &[])?;
    shown(w, root, &first, &second)?;
    w.manager(root, "ActivateSession", &[s(&second.id)])?;
    w.manager(root, "ActivateSessionOnSeat", &[s(&first.id), s("seat0")])?;
    w.call(root, SEAT0, "Seat.ActivateSession", &[s(&second.id)])?;
    w.settle(root)?;
    w.section("by position");
    for position in [0, 1, 2, 3, 64] {
        w.call(root, SEAT0, "Seat.SwitchTo", &[Arg::U(position)])?;
        w.settle(root)?;
    }
    for method in ["SwitchToNext", "SwitchToNext", "SwitchToPrevious", "SwitchToPrevious"] {
        w.call(root, SEAT0, &format!("Seat.{method}"), &[])?;
        w.settle(root)?;
    }
    w.section("what is not there");
    w.session(root, &elsewhere, "Activate", &[])?;
    w.manager(root, "ActivateSession", &[s(&elsewhere.id)])?;
    w.manager(root, "ActivateSession", &[s("nosuch")])?;
    w.manager(root, "ActivateSessionOnSeat", &[s(&elsewhere.id), s("seat0")])?;
    w.manager(root, "ActivateSessionOnSeat", &[s(&first.id), s("nosuch")])?;
    w.manager(root, "ActivateSessionOnSeat", &[s("nosuch"), s("nosuch")])?;
    w.call(root, SEAT0, "Seat.ActivateSession", &[s(&elsewhere.id)])?;
    w.call(root, SEAT0, "Seat.ActivateSession", &[s("nosuch")])?;
    w.section("from inside");
    w.manager(&mut one, "GetSeat", &[s("self")])?;
    w.manager(&mut one, "ActivateSession", &[s("self")])?;
    w.call(&mut one, SEAT0, "Seat.SwitchTo", &[Arg::U(2)])?;
    w.section("whoever is in front goes");
    w.end(&mut two)?;
    w.wait(root, "Manager.UserRemoved")?;
    w.settle(root)?;
    w.get_all(root, SEAT0, "Seat")?;
    w.get(root, &first.path, "Session", "Active")?;
    w.section("the seat is cleared");
    w.manager(root, "TerminateSeat", &[s("seat0")])?;
    w.wait(root, "Manager.SessionRemoved")?;
    w.settle(root)?;
    w.get_all(root, SEAT0, "Seat")
}

fn shown(w: &mut World, root: &mut Client, first: &Session, second: &Session) -> Result<()> {
    for session in [first, second] {
        for property in ["Active", "State", "Seat", "VTNr"] {
            w.get(root, &session.path, "Session", property)?;
        }
        let path = format!("/run/systemd/sessions/{}", session.id);
        w.file(&path, "session file", &["ACTIVE", "STATE", "SEAT", "VTNR", "POSITION"]);
    }
    w.file(
        "/run/systemd/seats/seat0",
        "seat file",
        &["IS_SEAT0", "CAN_MULTI_SESSION", "CAN_TTY", "CAN_GRAPHICAL", "ACTIVE", "ACTIVE_UID"],
    );
    Ok(())
}
