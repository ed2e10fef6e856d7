//! From what is known of a login to the session it becomes: contract/pam.md section 3, row by row, as logind 257 has it.
//! Pure, but for the one question to the X server, which is asked by the function given.

use usher_protocol::ids::{SeatId, VtNr};
use usher_protocol::session::{SessionClass, SessionType, UnknownWord};

use crate::inputs::Inputs;

/// The last uid of system users, as in Debian's and Fedora's /etc/login.defs (SYS_UID_MAX).
const SYSTEM_UID_MAX: u32 = 999;
/// The uids that systemd hands out to services (systemd.exec(5), DynamicUser=).
const DYNAMIC_UIDS: std::ops::RangeInclusive<u32> = 61184..=65519;
/// nobody(4).
const NOBODY: u32 = 65534;

/// What a login turns out to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Derived {
    pub(crate) kind: SessionType,
    pub(crate) class: SessionClass,
    pub(crate) seat: Option<SeatId>,
    pub(crate) vtnr: Option<VtNr>,
    pub(crate) tty: String,
    pub(crate) display: String,
    /// XDG_SESSION_INCOMPLETE was set for a class that cannot be incomplete.
    pub(crate) incomplete_ignored: bool,
}

/// A class or type that no session has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unknown {
    pub(crate) what: UnknownWord,
    pub(crate) word: String,
}

/// Derives class, type, terminal, display, seat and VT. `vt_of` says on which VT an X display is shown.
pub(crate) fn derive(
    uid: u32,
    inputs: &Inputs,
    vt_of: impl FnOnce(&str) -> Option<VtNr>,
) -> Result<Derived, Unknown> {
    let mut tty = inputs.tty.clone();
    let mut display = inputs.display.clone();
    let mut kind = inputs.kind.clone();
    let mut class = inputs.class.clone();
    let mut force = |new_kind: &str, new_class: &str| {
        new_kind.clone_into(&mut kind);
        new_class.clone_into(&mut class);
        tty.clear();
    };
    if inputs.service == "systemd-user" {
        force("unspecified", if is_system(uid) { "manager-early" } else { "manager" });
    } else if inputs.tty.contains(':') {
        // A display manager's idea of a terminal.
        if display.is_empty() {
            display.clone_from(&inputs.tty);
        }
        tty.clear();
    } else if inputs.tty == "cron" {
        force("unspecified", "background");
    } else if inputs.tty == "ssh" {
        // sshd has no terminal yet when it opens the session.
        force("tty", "user");
    } else if let Some(name) = inputs.tty.strip_prefix("/dev/") {
        name.clone_into(&mut tty);
    }

    let (seat, vtnr) = place(inputs, &display, vt_of);
    let kind = if !kind.is_empty() {
        parse(&kind)?
    } else if !display.is_empty() {
        SessionType::X11
    } else if !tty.is_empty() {
        SessionType::Tty
    } else {
        SessionType::Unspecified
    };
    let class = if !class.is_empty() {
        parse(&class)?
    } else {
        match kind {
            SessionType::Unspecified => SessionClass::Background,
            SessionType::Tty if is_system(uid) => SessionClass::UserEarly,
            _ => SessionClass::User,
        }
    };
    let (class, incomplete_ignored) = match (inputs.incomplete, class) {
        (true, SessionClass::User) => (SessionClass::UserIncomplete, false),
        (true, other) => (other, true),
        (false, class) => (class, false),
    };
    Ok(Derived { kind, class, seat, vtnr, tty, display, incomplete_ignored })
}

/// Seat and VT. A user at another machine sits at no seat of this one, whatever the environment says.
fn place(
    inputs: &Inputs,
    display: &str,
    vt_of: impl FnOnce(&str) -> Option<VtNr>,
) -> (Option<SeatId>, Option<VtNr>) {
    if inputs.remote {
        return (None, None);
    }
    let at_seat0 = inputs.seat.as_ref().is_none_or(SeatId::is_seat0);
    match inputs.vtnr {
        // Only seat0 has VTs.
        _ if !at_seat0 => (inputs.seat.clone(), None),
        None if !display.is_empty() => match vt_of(display) {
            Some(vtnr) => (Some(SeatId::seat0()), Some(vtnr)),
            None => (inputs.seat.clone(), None),
        },
        vtnr => (inputs.seat.clone(), vtnr),
    }
}

/// Root, system users, nobody, and users made up for a service.
fn is_system(uid: u32) -> bool {
    uid <= SYSTEM_UID_MAX || uid == NOBODY || DYNAMIC_UIDS.contains(&uid)
}

fn parse<T: std::str::FromStr<Err = UnknownWord>>(word: &str) -> Result<T, Unknown> {
    word.parse().map_err(|what| Unknown { what, word: word.to_owned() })
}
