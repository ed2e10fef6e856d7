//! The methods of org.freedesktop.login1.Manager (contract/dbus.md section 3).

use usher_model::{Action, Event, Listed, Model};
use usher_protocol::ids::{SeatId, SessionId, Uid};
use usher_protocol::messages::{Refusal, SessionView};
use usher_protocol::session::KillWhom;
use zbus::OwnedObjectPath;

use super::call::{Call, Reply};
use super::failure::Failure;
use super::path::{UserName, path_of_seat, path_of_session, path_of_user};
use super::{create, power, session, user};
use crate::sys::{idle, pidfd};

/// Answers one call.
pub(super) async fn answer(call: &Call, method: &str) -> Reply {
    match method {
        "GetSession" => {
            let (name,): (String,) = call.arguments()?;
            let session = call.session(&name).await?;
            call.reply(&(path_of_session(&session.id),))
        }
        "GetSessionByPID" => {
            let (pid,) = call.arguments()?;
            call.reply(&(path_of_session(&session_of_pid(call, pid).await?),))
        }
        "GetUser" => {
            let (uid,) = call.arguments()?;
            call.reply(&(path_of_user(call.user(uid).await?.uid),))
        }
        "GetUserByPID" => {
            let (pid,) = call.arguments()?;
            call.reply(&(path_of_user(user_of_pid(call, pid).await?),))
        }
        "GetSeat" => {
            let (name,): (String,) = call.arguments()?;
            call.reply(&(path_of_seat(&call.seat(&name).await?.id),))
        }
        "ListSessions" => call.reply(&(sessions(call).await?,)),
        "ListSessionsEx" => call.reply(&(sessions_ex(call).await?,)),
        "ListUsers" => {
            let row = |(uid, name): (Uid, &str)| (uid.get(), name.to_owned(), path_of_user(uid));
            let users = call.query(move |model| model.list_users().map(row).collect::<Vec<_>>()).await?;
            call.reply(&(users,))
        }
        "ListSeats" => {
            let seats = call.query(Model::seats).await?.into_iter();
            let seats: Vec<_> = seats.map(|seat| (seat.id.to_string(), path_of_seat(&seat.id))).collect();
            call.reply(&(seats,))
        }
        "CreateSession" => create::by_pid(call).await,
        "CreateSessionWithPIDFD" => create::by_pidfd(call).await,
        "ReleaseSession" => release(call).await,
        "ActivateSession" => {
            let (name,): (String,) = call.arguments()?;
            session::activate(call, call.session(&name).await?).await
        }
        "ActivateSessionOnSeat" => {
            let (name, seat): (String, String) = call.arguments()?;
            let session = call.session(&name).await?;
            let seat = call.seat(&seat).await?;
            session::activate_on(call, session, &seat.id).await
        }
        "LockSession" | "UnlockSession" => {
            let (name,): (String,) = call.arguments()?;
            session::lock(call, call.session(&name).await?, method == "LockSession").await
        }
        "LockSessions" | "UnlockSessions" => {
            let lock = method == "LockSessions";
            let authority = call.authorize(Action::LockAll, Uid::ROOT, false).await?;
            call.request(move |request| Event::Lock { request, authority, session: None, lock }).await?;
            call.done()
        }
        "KillSession" => {
            let (name, whom, number): (String, String, i32) = call.arguments()?;
            session::kill(call, call.session(&name).await?, &whom, number).await
        }
        "KillUser" => {
            let (uid, number) = call.arguments()?;
            let user = call.user(uid).await?;
            user::kill(call, user.uid, number).await
        }
        "TerminateSession" => {
            let (name,): (String,) = call.arguments()?;
            session::terminate(call, call.session(&name).await?).await
        }
        "TerminateUser" => {
            let (uid,) = call.arguments()?;
            user::terminate(call, call.user(uid).await?.uid).await
        }
        "TerminateSeat" => {
            let (name,): (String,) = call.arguments()?;
            super::seat::terminate(call, call.seat(&name).await?.id).await
        }
        "SetUserLinger" => set_linger(call).await,
        _ => power::answer(call, method).await,
    }
}

type Row = (String, u32, String, String, OwnedObjectPath);

async fn sessions(call: &Call) -> Result<Vec<Row>, Failure> {
    let row = |session: Listed<'_>| {
        let seat = session.seat.map(SeatId::to_string).unwrap_or_default();
        (
            session.id.to_string(),
            session.uid.get(),
            session.user.to_string(),
            seat,
            path_of_session(session.id),
        )
    };
    call.query(move |model| model.list_sessions().map(row).collect()).await
}

/// So many terminals are looked at at once; more, elsewhere: of thousands, that would hold up logins.
const FEW: usize = 64;

type LongRow = (String, u32, String, String, u32, String, String, bool, u64, OwnedObjectPath);

async fn sessions_ex(call: &Call) -> Result<Vec<LongRow>, Failure> {
    let sessions = call.query(Model::sessions).await?;
    if sessions.len() <= FEW {
        return Ok(sessions.into_iter().map(long_row).collect());
    }
    let rows = tokio::task::spawn_blocking(|| sessions.into_iter().map(long_row).collect());
    rows.await.map_err(|error| Failure::standard("Failed", error.to_string()))
}

fn long_row(mut session: SessionView) -> LongRow {
    idle::fill_in(&mut session);
    let path = path_of_session(&session.id);
    let seat = session.seat.map(String::from).unwrap_or_default();
    (
        session.id.into(),
        session.uid.get(),
        session.user.to_string(),
        seat,
        session.leader,
        session.class.to_string(),
        session.tty,
        session.idle_hint,
        session.idle_since_monotonic,
        path,
    )
}

/// First the session that the process leads, then the one in whose scope it is. 0 is the caller.
async fn session_of_pid(call: &Call, pid: u32) -> Result<SessionId, Failure> {
    check_pid(pid)?;
    let pid = if pid == 0 { call.caller.pid } else { pid };
    let (led, place) = (pidfd::leader_of(pid).ok(), call.belonging_of(pid));
    let look = move |model: &Model| {
        led.and_then(|process| model.session_led_by(process)).or_else(|| place.session(model))
    };
    call.query(look).await?.ok_or_else(|| Failure::no_session_for(pid))
}

/// What can be the number of a process; the kernel's are not negative.
pub(super) fn check_pid(pid: u32) -> Result<(), Failure> {
    i32::try_from(pid).map(drop).map_err(|_| Failure::invalid("Invalid PID"))
}

/// The user in whose slice a process is. 0 is the caller.
async fn user_of_pid(call: &Call, pid: u32) -> Result<Uid, Failure> {
    check_pid(pid)?;
    let pid = if pid == 0 { call.caller.pid } else { pid };
    let owner = call.belonging_of(pid).owner;
    let look = move |model: &Model| owner.filter(|uid| model.account(*uid).is_some());
    call.query(look).await?.ok_or_else(|| Failure::no_user_for(pid))
}

/// A logout, told from within the session (contract/dbus.md section 5).
async fn release(call: &Call) -> Reply {
    let (name,): (String,) = call.arguments()?;
    let session = call.session(&name).await?.id;
    let place = call.belonging_of(0);
    let own = call.query(move |model| place.session(model)).await?;
    match own {
        None => return Err(Failure::no_session_for(call.caller.pid)),
        Some(own) if own != session => {
            return Err(Failure::denied(
                "Refused to release session, since it doesn't match the one of the client",
            ));
        }
        Some(_) => {}
    }
    call.request(move |request| Event::ReleaseSession { request, session }).await?;
    call.done()
}

async fn set_linger(call: &Call) -> Reply {
    let (uid, linger, interactive): (u32, bool, bool) = call.arguments()?;
    let own = || {
        let missing = Failure::new("System.Error.ENXIO", "No such device or address");
        call.belonging_of(0).owner.ok_or(missing)
    };
    let uid = match UserName::from_argument(uid) {
        Some(UserName::Uid(uid)) => uid,
        Some(UserName::Own) => own()?,
        None => return Err(Refusal::NoSuchUser { uid }.into()),
    };
    // Before the look-up: nobody makes the broker ask the name service about others.
    let authority = call.authorize(Action::SetLinger, uid, interactive).await?;
    authority.check_linger(uid)?;
    let account = call.link.facade.service.lookups.account_for_linger(uid, linger, call.caller.uid).await?;
    call.request(move |request| Event::SetLinger { request, authority, account, linger }).await?;
    call.done()
}

/// Which of a session's processes a signal is for.
pub(super) fn kill_whom(word: &str) -> Result<KillWhom, Failure> {
    match word {
        "" | "all" => Ok(KillWhom::All),
        "leader" => Ok(KillWhom::Leader),
        _ => Err(Failure::invalid(format!("Invalid 'who' parameter '{}'", super::call::printable(word)))),
    }
}
