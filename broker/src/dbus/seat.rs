//! The methods of org.freedesktop.login1.Seat (contract/dbus.md section 7).

use usher_model::{Action, Event, SwitchTo};
use usher_protocol::ids::{SeatId, Uid};

use super::call::{Call, Reply};
use super::failure::Failure;
use super::session;

/// Answers one call for a seat.
pub(super) async fn answer(call: &Call, seat: SeatId, method: &str) -> Reply {
    match method {
        "Terminate" => terminate(call, seat).await,
        "ActivateSession" => {
            let (name,): (String,) = call.arguments()?;
            let session = call.session(&name).await?;
            session::activate_on(call, session, &seat).await
        }
        "SwitchTo" => {
            let (position,) = call.arguments()?;
            if position == 0 {
                return Err(Failure::invalid("Virtual terminals and positions begin with 1"));
            }
            switch(call, seat, SwitchTo::Position(position)).await
        }
        "SwitchToNext" => switch(call, seat, SwitchTo::Next).await,
        "SwitchToPrevious" => switch(call, seat, SwitchTo::Previous).await,
        _ => Err(Failure::standard("UnknownMethod", format!("Unknown method {method}"))),
    }
}

/// Ends all sessions of a seat.
pub(super) async fn terminate(call: &Call, seat: SeatId) -> Reply {
    let authority = call.authorize(Action::TerminateSeat, Uid::ROOT, false).await?;
    call.request(move |request| Event::TerminateSeat { request, authority, seat }).await?;
    call.done()
}

async fn switch(call: &Call, seat: SeatId, to: SwitchTo) -> Reply {
    let authority = call.authorize(Action::ChangeVt, Uid::ROOT, false).await?;
    call.request(move |request| Event::Switch { request, authority, seat, to }).await?;
    call.done()
}
