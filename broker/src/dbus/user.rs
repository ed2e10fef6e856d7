//! The methods of org.freedesktop.login1.User (contract/dbus.md section 8).

use usher_model::{Action, Event};
use usher_protocol::ids::Uid;

use super::call::{Call, Reply, signal};
use super::failure::Failure;

/// Answers one call for a user.
pub(super) async fn answer(call: &Call, uid: Uid, method: &str) -> Reply {
    match method {
        "Terminate" => terminate(call, uid).await,
        "Kill" => {
            let (number,) = call.arguments()?;
            kill(call, uid, number).await
        }
        _ => Err(Failure::standard("UnknownMethod", format!("Unknown method {method}"))),
    }
}

/// Ends all of a user's sessions and the user's manager.
pub(super) async fn terminate(call: &Call, uid: Uid) -> Reply {
    let authority = call.authorize(Action::Terminate, uid, false).await?;
    call.request(move |request| Event::TerminateUser { request, authority, uid }).await?;
    call.done()
}

/// Signals all of a user's processes. Who may is asked first, as logind does here.
pub(super) async fn kill(call: &Call, uid: Uid, number: i32) -> Reply {
    let authority = call.authorize(Action::Kill, uid, false).await?;
    authority.check_kill(uid)?;
    let signal = signal(number)?;
    call.request(move |request| Event::KillUser { request, authority, uid, signal }).await?;
    call.done()
}
