//! The methods of org.freedesktop.login1.Session (contract/dbus.md section 6).

use std::os::fd::{AsFd, OwnedFd};

use usher_model::{Action, BusName, Event};
use usher_protocol::ids::{SeatId, SessionId};
use usher_protocol::messages::{Refusal, SessionView};
use usher_protocol::session::{SessionClass, SessionType};

use super::call::{Call, Reply, printable, signal};
use super::failure::Failure;
use super::manager::kill_whom;
use crate::sys::vt;

/// Answers one call for a session.
pub(super) async fn answer(call: &Call, session: SessionView, method: &str) -> Reply {
    let id = session.id.clone();
    match method {
        "Terminate" => terminate(call, session).await,
        "Activate" => activate(call, session).await,
        "Lock" => lock(call, session, true).await,
        "Unlock" => lock(call, session, false).await,
        "SetIdleHint" => {
            let (idle,) = call.arguments()?;
            let authority = call.authorize(Action::Describe, session.uid, false).await?;
            let make = move |request| Event::SetIdleHint { request, authority, session: id, idle };
            call.request(make).await?;
            call.done()
        }
        "SetLockedHint" => {
            let (locked,) = call.arguments()?;
            let authority = call.authorize(Action::Describe, session.uid, false).await?;
            let make = move |request| Event::SetLockedHint { request, authority, session: id, locked };
            call.request(make).await?;
            call.done()
        }
        "Kill" => {
            let (whom, number): (String, i32) = call.arguments()?;
            kill(call, session, &whom, number).await
        }
        "TakeControl" => take_control(call, session).await,
        "ReleaseControl" => {
            let controller = controller(call);
            call.request(move |request| Event::ReleaseControl { request, session: id, controller }).await?;
            call.done()
        }
        "SetType" => {
            let (word,): (String,) = call.arguments()?;
            let kind: SessionType = word
                .parse()
                .map_err(|_| Failure::invalid(format!("Invalid session type '{}'", printable(&word))))?;
            let controller = controller(call);
            call.request(move |request| Event::SetType { request, session: id, controller, kind }).await?;
            call.done()
        }
        "SetClass" => {
            let (word,): (String,) = call.arguments()?;
            let class: SessionClass = word
                .parse()
                .map_err(|_| Failure::invalid(format!("Invalid session class '{}'", printable(&word))))?;
            let authority = call.authorize(Action::Describe, session.uid, false).await?;
            call.request(move |request| Event::SetClass { request, authority, session: id, class }).await?;
            call.done()
        }
        "SetDisplay" => {
            let (display,): (String,) = call.arguments()?;
            let controller = controller(call);
            call.request(move |request| Event::SetDisplay { request, session: id, controller, display })
                .await?;
            call.done()
        }
        "SetTTY" => set_tty(call, id).await,
        "TakeDevice" | "ReleaseDevice" | "PauseDeviceComplete" => device(call, session, method).await,
        "SetBrightness" => {
            let (subsystem, name, _): (String, String, u32) = call.arguments()?;
            set_brightness(call, session, &subsystem, &name).await
        }
        _ => Err(Failure::standard("UnknownMethod", format!("Unknown method {method}"))),
    }
}

/// Ends a session.
pub(super) async fn terminate(call: &Call, session: SessionView) -> Reply {
    let authority = call.authorize(Action::Terminate, session.uid, false).await?;
    let session = session.id;
    call.request(move |request| Event::TerminateSession { request, authority, session }).await?;
    call.done()
}

/// Brings a session to the foreground.
pub(super) async fn activate(call: &Call, session: SessionView) -> Reply {
    let authority = call.authorize(Action::ChangeVt, session.uid, false).await?;
    let session = session.id;
    call.request(move |request| Event::Activate { request, authority, session }).await?;
    call.done()
}

/// The same, if it is on that seat.
pub(super) async fn activate_on(call: &Call, session: SessionView, seat: &SeatId) -> Reply {
    if session.seat.as_ref() != Some(seat) {
        let refusal = Refusal::SessionNotOnSeat { session: session.id.to_string(), seat: seat.to_string() };
        return Err(refusal.into());
    }
    activate(call, session).await
}

/// Asks a session to lock or unlock its screen.
pub(super) async fn lock(call: &Call, session: SessionView, lock: bool) -> Reply {
    let authority = call.authorize(Action::Lock, session.uid, false).await?;
    let session = Some(session.id);
    call.request(move |request| Event::Lock { request, authority, session, lock }).await?;
    call.done()
}

/// Signals a session's processes. What is wrong with the arguments is said before anybody is asked for permission.
pub(super) async fn kill(call: &Call, session: SessionView, whom: &str, number: i32) -> Reply {
    let (whom, signal) = (kill_whom(whom)?, signal(number)?);
    let authority = call.authorize(Action::Kill, session.uid, false).await?;
    let session = session.id;
    call.request(move |request| Event::KillSession { request, authority, session, whom, signal }).await?;
    call.done()
}

/// Who controls sessions does so as a connection to the bus.
fn controller(call: &Call) -> BusName {
    BusName(call.sender.to_string())
}

async fn take_control(call: &Call, session: SessionView) -> Reply {
    let (force,) = call.arguments()?;
    let action = if force { Action::SeizeControl } else { Action::Control };
    let authority = call.authorize(action, session.uid, false).await?;
    let (session, name) = (session.id, controller(call));
    let controller = name.clone();
    let make = move |request| Event::TakeControl { request, authority, session, controller, force };
    call.request(make).await?;
    call.link.watch(&name).await;
    call.done()
}

async fn set_tty(call: &Call, session: SessionId) -> Reply {
    let (passed,): (zbus::OwnedFd,) = call.arguments()?;
    check_control(call, &session).await?;
    let terminal = OwnedFd::from(passed);
    let tty = vt::terminal_name(terminal.as_fd()).map_err(|error| Failure::denied(error.to_string()))?;
    let controller = controller(call);
    call.request(move |request| Event::SetTty { request, session, controller, tty }).await?;
    call.done()
}

async fn check_control(call: &Call, session: &SessionId) -> Result<(), Failure> {
    let (id, name) = (session.clone(), controller(call));
    let controls = call.query(move |model| model.is_controlled_by(&id, &name)).await?;
    if controls { Ok(()) } else { Err(Refusal::NotInControl {}.into()) }
}

/// usherd assigns no devices to seats yet: to the one who may, there are none.
async fn set_brightness(call: &Call, session: SessionView, subsystem: &str, name: &str) -> Reply {
    if !matches!(subsystem, "backlight" | "leds") {
        let message = format!("Subsystem type '{}' is not supported.", printable(subsystem));
        return Err(Failure::not_supported(message));
    }
    if name.is_empty() || name.contains('/') || matches!(name, "." | "..") {
        return Err(Failure::invalid(format!("Not a valid device name {}, refusing.", printable(name))));
    }
    if session.seat.is_none() || !session.active {
        let message = "Your session is not in the foreground of a seat, refusing.";
        return Err(Failure::login1("NotYourDevice", message));
    }
    call.authorize(Action::Describe, session.uid, false).await?;
    Err(Failure::new("System.Error.ENODEV", format!("Device {subsystem}:{} is on no seat.", printable(name))))
}

/// usherd hands out no devices yet: to the one who may have them, there are none (contract/dbus.md section 6).
async fn device(call: &Call, session: SessionView, method: &str) -> Reply {
    let (major, minor): (u32, u32) = call.arguments()?;
    if major >= 1 << 12 || minor >= 1 << 20 {
        return Err(Failure::invalid("Device major/minor is not valid."));
    }
    check_control(call, &session.id).await?;
    match method {
        "TakeDevice" if !session.class.can_be_driven() => {
            Err(Failure::not_supported("Session class does not support taking device control."))
        }
        "TakeDevice" if session.seat.is_none() => Err(Failure::denied("Operation not permitted")),
        "TakeDevice" => Err(Failure::new("System.Error.ENODEV", "No such device")),
        _ => Err(Failure::login1("DeviceNotTaken", "Device not taken")),
    }
}
