//! What a CreateSession asks for, checked as logind checks it (contract/dbus.md section 4). What it says of seat and terminal
//! has to be consistent; whether it is believed is for the model to say.

use usher_model::Account;
use usher_protocol::ids::{SeatId, VtNr};
use usher_protocol::messages::SessionRequest;
use usher_protocol::session::{SessionClass, SessionType};

use super::OpenError;

/// What a CreateSession asks for, as the caller has said it. Empty texts and 0 are things that it has not said.
#[derive(Debug)]
pub(crate) struct Wish {
    /// Whose session it is to be.
    pub(crate) uid: u32,
    /// The PAM service.
    pub(crate) service: String,
    /// What it is shown on; see [`session_type`].
    pub(crate) kind: Option<SessionType>,
    /// What kind of session it is; see [`session_class`].
    pub(crate) class: Option<SessionClass>,
    /// The desktop's name.
    pub(crate) desktop: String,
    /// The seat.
    pub(crate) seat: String,
    /// The virtual terminal.
    pub(crate) vtnr: u32,
    /// The terminal, with or without `/dev/`.
    pub(crate) tty: String,
    /// The X display.
    pub(crate) display: String,
    /// Whether the user sits at another machine.
    pub(crate) remote: bool,
    /// The user's name over there.
    pub(crate) remote_user: String,
    /// The other machine.
    pub(crate) remote_host: String,
}

/// A session type in logind's spelling; nothing for an empty word.
///
/// # Errors
/// [`OpenError::InvalidArgs`].
pub(crate) fn session_type(word: &str) -> Result<Option<SessionType>, OpenError> {
    let invalid = |_| OpenError::invalid("Type", format!("Invalid session type {}", word.escape_debug()));
    if word.is_empty() { Ok(None) } else { word.parse().map(Some).map_err(invalid) }
}

/// A session class in logind's spelling; nothing for an empty word.
///
/// # Errors
/// [`OpenError::InvalidArgs`].
pub(crate) fn session_class(word: &str) -> Result<Option<SessionClass>, OpenError> {
    let invalid = |_| OpenError::invalid("Class", format!("Invalid session class {}", word.escape_debug()));
    if word.is_empty() { Ok(None) } else { word.parse().map(Some).map_err(invalid) }
}

impl Wish {
    /// The terminal's name without `/dev/`.
    fn terminal(&self) -> &str {
        self.tty.strip_prefix("/dev/").unwrap_or(&self.tty)
    }

    /// The seat that is asked for, in words or by its terminal.
    ///
    /// # Errors
    /// [`OpenError::NoSuchSeat`]: no seat can be called so. [`OpenError::InvalidArgs`]: what logind looks at before, the desktop,
    /// makes no sense.
    pub(crate) fn seat(&self) -> Result<Option<SeatId>, OpenError> {
        if !is_safe(&self.desktop) {
            return Err(OpenError::invalid("Desktop", "Invalid desktop string"));
        }
        let named: Option<SeatId> = match self.seat.as_str() {
            "" => None,
            name => Some(name.parse().map_err(|_| OpenError::NoSuchSeat(shortened(name)))?),
        };
        let on_seat0 = console_number(self.terminal()).is_some() || self.terminal() == "console";
        match named {
            None if on_seat0 => Ok(Some(SeatId::seat0())),
            named => Ok(named),
        }
    }

    /// The virtual terminal that is asked for, on that seat, which has such or not.
    ///
    /// # Errors
    /// [`OpenError::InvalidArgs`]: the seat has none, or needs one; or it, or the seat, contradicts the terminal's name.
    pub(crate) fn vt(&self, seat: Option<&SeatId>, has_vts: bool) -> Result<Option<VtNr>, OpenError> {
        let terminal = self.terminal();
        let on_seat0 = console_number(terminal).is_some() || terminal == "console";
        if let Some(seat) = seat.filter(|seat| on_seat0 && !seat.is_seat0()) {
            let message = format!("the terminal {terminal} is on seat0, not on {seat}");
            return Err(OpenError::invalid("Seat", message));
        }
        if terminal == "tty0" {
            let message = "tty0 is whichever terminal is in the foreground, and none of its own";
            return Err(OpenError::invalid("TTY", message));
        }
        let invalid = |message: String| Err(OpenError::invalid("VTNr", message));
        let asked = match (console_number(self.terminal()), self.vtnr) {
            (Some(number), 0) => number,
            (Some(number), asked) if number != asked => {
                return invalid(format!("{asked} is not the number of the terminal tty{number}"));
            }
            (None, asked) if self.terminal() == "console" && asked != 0 => {
                return invalid("the console is no virtual terminal".to_owned());
            }
            (_, asked) => asked,
        };
        let number = VtNr::try_from(asked).ok();
        match seat {
            Some(seat) if has_vts && number.is_none() => {
                invalid(format!("{asked} is not the number of a virtual terminal of {seat}, 1 to 63"))
            }
            Some(seat) if !has_vts && asked != 0 => invalid(format!("{seat} has no virtual terminals")),
            // Without a seat nobody asks after it.
            _ => Ok(number),
        }
    }

    /// The whole request, of the user with that account.
    pub(crate) fn into_request(
        self,
        account: Account,
        seat: Option<SeatId>,
        vtnr: Option<VtNr>,
    ) -> SessionRequest {
        let tty = self.terminal().to_owned();
        let kind = self.kind.unwrap_or(match (self.display.is_empty(), tty.is_empty()) {
            (false, _) => SessionType::X11,
            (true, false) => SessionType::Tty,
            (true, true) => SessionType::Unspecified,
        });
        let class = self.class.unwrap_or(match kind {
            SessionType::Unspecified => SessionClass::Background,
            _ => SessionClass::User,
        });
        SessionRequest {
            uid: account.uid,
            gid: account.gid,
            user: account.name,
            home: account.home,
            shell: account.shell,
            service: self.service,
            kind,
            class,
            desktop: self.desktop,
            seat,
            vtnr,
            tty,
            display: self.display,
            remote: self.remote,
            remote_user: self.remote_user,
            remote_host: self.remote_host,
            retry: false,
        }
    }
}

/// What a desktop may be called.
fn is_safe(desktop: &str) -> bool {
    !desktop.chars().any(|c| c.is_control() || matches!(c, '"' | '\'' | '\\'))
}

/// The number of a virtual terminal by its name, `tty0` to `tty63`; 0 is whichever is in the foreground.
fn console_number(tty: &str) -> Option<u32> {
    if tty == "tty0" { Some(0) } else { VtNr::from_tty(tty).map(VtNr::get) }
}

/// As much of somebody's text as an error message can bear.
fn shortened(text: &str) -> String {
    text.chars().take(64).flat_map(char::escape_debug).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wish(seat: &str, vtnr: u32, tty: &str) -> Wish {
        Wish {
            uid: 1000,
            service: "login".into(),
            kind: None,
            class: None,
            desktop: String::new(),
            seat: seat.into(),
            vtnr,
            tty: tty.into(),
            display: String::new(),
            remote: false,
            remote_user: String::new(),
            remote_host: String::new(),
        }
    }

    /// The seat and the terminal, or what is wrong.
    fn place(seat: &str, vtnr: u32, tty: &str, has_vts: bool) -> Result<(String, u32), OpenError> {
        let wish = wish(seat, vtnr, tty);
        let seat = wish.seat()?;
        let vt = wish.vt(seat.as_ref(), has_vts)?;
        Ok((seat.map(String::from).unwrap_or_default(), vt.map_or(0, VtNr::get)))
    }

    #[test]
    fn a_terminal_names_its_seat() {
        let at = |seat: &str, vt| Ok((seat.to_owned(), vt));
        for tty in ["tty3", "/dev/tty3"] {
            assert_eq!(place("", 0, tty, true), at("seat0", 3), "{tty}");
            assert_eq!(place("seat0", 3, tty, true), at("seat0", 3), "{tty}");
        }
        assert_eq!(place("", 0, "pts/0", true), at("", 0));
        assert_eq!(place("", 0, "ttyS0", true), at("", 0));
        assert_eq!(place("", 0, "tty64", true), at("", 0), "no virtual terminal");
        assert_eq!(place("", 0, "console", false), at("seat0", 0));
        assert_eq!(place("seat-other", 0, "", false), at("seat-other", 0));
        assert_eq!(place("seat0", 0, "", false), at("seat0", 0));
    }

    #[test]
    fn contradictions_are_refused() {
        let wrong = |place: Result<_, OpenError>| match place {
            Err(OpenError::InvalidArgs { parameter, .. }) => parameter,
            other => panic!("{other:?}"),
        };
        assert_eq!(wrong(place("seat-other", 0, "tty3", true)), "Seat");
        assert_eq!(wrong(place("seat-other", 0, "console", true)), "Seat");
        assert_eq!(wrong(place("seat0", 4, "tty3", true)), "VTNr");
        assert_eq!(wrong(place("", 1, "console", true)), "VTNr");
        assert_eq!(wrong(place("", 0, "tty3", false)), "VTNr", "a machine without virtual terminals");
        assert_eq!(wrong(place("", 0, "tty0", true)), "TTY");
        assert_eq!(wrong(place("seat0", 0, "", true)), "VTNr");
        assert_eq!(wrong(place("seat0", 64, "", true)), "VTNr");
        assert_eq!(place("chair", 0, "", true), Err(OpenError::NoSuchSeat("chair".into())));
        let long = "x".repeat(60_000);
        assert_eq!(place(&long, 0, "", true), Err(OpenError::NoSuchSeat("x".repeat(64))));
    }

    #[test]
    fn what_is_not_said_is_derived() {
        let derive = |tty: &str, display: &str| {
            let account = Account {
                uid: 1000.try_into().unwrap(),
                gid: 100,
                name: "alice".parse().unwrap(),
                home: "/home/alice".into(),
                shell: "/bin/sh".into(),
            };
            let wish = Wish { display: display.into(), ..wish("", 0, tty) };
            let request = wish.into_request(account, None, None);
            (request.kind, request.class, request.tty)
        };
        use {SessionClass as Class, SessionType as Type};
        assert_eq!(derive("", ""), (Type::Unspecified, Class::Background, String::new()));
        assert_eq!(derive("/dev/pts/1", ""), (Type::Tty, Class::User, "pts/1".into()));
        assert_eq!(derive("tty2", ":0"), (Type::X11, Class::User, "tty2".into()));
    }

    #[test]
    fn words_are_logind_s() {
        assert_eq!(session_type(""), Ok(None));
        assert_eq!(session_type("wayland"), Ok(Some(SessionType::Wayland)));
        assert_eq!(session_class("lock-screen"), Ok(Some(SessionClass::LockScreen)));
        for bad in ["TTY", "none", "\0"] {
            assert!(session_type(bad).is_err() && session_class(bad).is_err(), "{bad:?}");
        }
    }
}
