//! A small world: one user with one session on one seat.

use serde_json::json;
use usher_protocol::ids::SessionId;
use usher_protocol::messages::{Call, Refusal, SeatSelector, SeatView, SessionSelector, UserSelector};

use super::{Answer, FakeBroker, seat, session, user};

/// One user, u2, with the session c4, which is the only one of seat0.
fn small_world(call: &Call) -> Answer {
    match call {
        Call::ListSessions => Answer::Reply(json!({"sessions": [session(json!({}))]})),
        Call::ListUsers => Answer::Reply(json!({"users": [user(json!({}))]})),
        Call::GetSession(SessionSelector { session: Some(id) })
            if ["c4", "self", "auto"].contains(&&**id) =>
        {
            Answer::Reply(json!({"session": session(json!({}))}))
        }
        Call::GetSession(selector) => {
            Answer::Refuse(Refusal::NoSuchSession { session: selector.session.clone().unwrap_or_default() })
        }
        Call::GetUser(UserSelector { uid }) if uid.is_none_or(|uid| uid.get() == 1002) => {
            Answer::Reply(json!({"user": user(json!({}))}))
        }
        Call::GetUser(UserSelector { uid }) => {
            Answer::Refuse(Refusal::NoSuchUser { uid: uid.map_or(0, |uid| uid.get()) })
        }
        Call::GetManager => Answer::Reply(json!({"manager": {
            "kill_user_processes": false, "kill_only_users": [], "kill_exclude_users": ["root"],
            "user_stop_delay_usec": 10_000_000, "remove_ipc": true, "runtime_directory_size": 4096,
            "runtime_directory_inodes_max": 1, "sessions_max": 8192, "n_current_sessions": 1,
        }})),
        Call::ListSeats => Answer::Reply(json!({"seats": [small_seat()]})),
        Call::GetSeat(SeatSelector { seat: Some(id) }) if ["seat0", "self", "auto"].contains(&&**id) => {
            Answer::Reply(json!({"seat": small_seat()}))
        }
        Call::GetSeat(SeatSelector { seat }) => {
            Answer::Refuse(Refusal::NoSuchSeat { seat: seat.clone().unwrap_or_default() })
        }
        Call::TerminateSeat(arg) if !arg.seat.is_seat0() => {
            Answer::Refuse(Refusal::NoSuchSeat { seat: arg.seat.to_string() })
        }
        Call::LockSessions | Call::UnlockSessions => {
            Answer::Refuse(Refusal::AccessDenied { message: "Only root may do that".into() })
        }
        Call::TerminateSession(arg) | Call::ActivateSession(arg) | Call::LockSession(arg)
            if arg.session.as_str() != "c4" =>
        {
            Answer::Refuse(Refusal::NoSuchSession { session: arg.session.to_string() })
        }
        Call::KillSession(request) if request.session.as_str() == "c5" => {
            Answer::Refuse(Refusal::NotSupported { message: "Session 'c5' has no associated scope".into() })
        }
        _ => Answer::Reply(json!({})),
    }
}

fn small_seat() -> SeatView {
    seat(json!({"active": "c4", "sessions": ["c4"]}))
}

pub(crate) fn broker() -> FakeBroker {
    FakeBroker::start(small_world)
}

pub(crate) fn id(text: &str) -> SessionId {
    text.parse().expect("an id")
}
