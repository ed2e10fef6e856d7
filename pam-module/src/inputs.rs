//! What the PAM application and the environment say of a login (contract/pam.md section 2). All of it may come from the
//! user who logs in (CVE-2019-3842, CVE-2025-6018): lengths are bounded, values parsed strictly, and what does not
//! parse is as good as unset, with a warning.

use std::ffi::CStr;
use std::fmt::Display;

use usher_protocol::ids::{SeatId, VtNr};

use crate::arguments::Arguments;
use crate::pam::{Item, Pam, Severity};
use crate::text::{boolean, plain};

/// The checked inputs; an empty text is an unset one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Inputs {
    pub(crate) service: String,
    pub(crate) tty: String,
    pub(crate) display: String,
    pub(crate) remote_user: String,
    pub(crate) remote_host: String,
    /// Whether the user sits at another machine. True also where the machine's name is not fit to be passed on.
    pub(crate) remote: bool,
    pub(crate) seat: Option<SeatId>,
    pub(crate) vtnr: Option<VtNr>,
    /// XDG_SESSION_TYPE or `type=`: any word; one that is unknown matters only where nothing overrules it.
    pub(crate) kind: String,
    /// XDG_SESSION_CLASS or `class=`, likewise.
    pub(crate) class: String,
    pub(crate) desktop: String,
    pub(crate) incomplete: bool,
}

impl Inputs {
    /// Reads the items, the PAM environment, the process's environment and the arguments, in falling rank.
    pub(crate) fn read(pam: &impl Pam, arguments: &Arguments) -> Self {
        let remote_host = pam.item(Item::RemoteHost).unwrap_or_default();
        Self {
            service: item(pam, Item::Service, "PAM_SERVICE"),
            tty: item(pam, Item::Tty, "PAM_TTY"),
            display: item(pam, Item::XDisplay, "PAM_XDISPLAY"),
            remote_user: item(pam, Item::RemoteUser, "PAM_RUSER"),
            remote: !remote_host.is_empty() && !is_localhost(&remote_host),
            remote_host: item(pam, Item::RemoteHost, "PAM_RHOST"),
            seat: variable(pam, c"XDG_SEAT", |text| text.parse().map_err(|e| format!("{e}"))),
            vtnr: variable(pam, c"XDG_VTNR", vtnr).flatten(),
            kind: word(pam, c"XDG_SESSION_TYPE", &arguments.kind),
            class: word(pam, c"XDG_SESSION_CLASS", &arguments.class),
            desktop: variable(pam, c"XDG_SESSION_DESKTOP", desktop)
                .or_else(|| ignoring(pam, "desktop=", desktop(&arguments.desktop)))
                .unwrap_or_default(),
            incomplete: variable(pam, c"XDG_SESSION_INCOMPLETE", |text| {
                boolean(text).ok_or("neither yes nor no")
            })
            .unwrap_or(false),
        }
    }
}

fn item(pam: &impl Pam, item: Item, name: &str) -> String {
    let bytes = pam.item(item).unwrap_or_default();
    ignoring(pam, name, plain(&bytes).map(str::to_owned)).unwrap_or_default()
}

/// A variable's bytes: PAM's environment outranks the process's, and an empty value is none.
fn bytes(pam: &impl Pam, name: &CStr) -> Option<Vec<u8>> {
    let set = |value: &Vec<u8>| !value.is_empty();
    pam.env(name).filter(set).or_else(|| pam.process_env(name).filter(set))
}

fn variable<T, E: Display>(pam: &impl Pam, name: &CStr, parse: impl Fn(&str) -> Result<T, E>) -> Option<T> {
    let bytes = bytes(pam, name)?;
    let value = plain(&bytes).map_err(str::to_owned).and_then(|text| parse(text).map_err(|e| e.to_string()));
    ignoring(pam, &name.to_string_lossy(), value)
}

/// A word that is checked when it turns out to matter. What is not even text can only be a wrong one.
fn word(pam: &impl Pam, name: &CStr, argument: &str) -> String {
    match bytes(pam, name) {
        Some(bytes) => plain(&bytes).unwrap_or("(unreadable)").to_owned(),
        None => argument.to_owned(),
    }
}

fn vtnr(text: &str) -> Result<Option<VtNr>, String> {
    let digits = text.bytes().all(|b| b.is_ascii_digit());
    let number = text.parse::<u32>().ok().filter(|_| digits).ok_or("not a decimal number")?;
    if number == 0 { Ok(None) } else { VtNr::try_from(number).map(Some).map_err(|e| e.to_string()) }
}

fn desktop(text: &str) -> Result<String, &'static str> {
    let text = plain(text.as_bytes())?;
    // The same rule as usherd's: the name ends up between quotes in files and command lines.
    if text.contains(['"', '\'', '\\']) { Err("contains quotes or backslashes") } else { Ok(text.to_owned()) }
}

fn ignoring<T, E: Display>(pam: &impl Pam, name: &str, value: Result<T, E>) -> Option<T> {
    value.map_err(|why| pam.log(Severity::Warning, &format!("{name} ignored: {why}"))).ok()
}

/// The names that mean this machine. Addresses do not: the name is what logind goes by (contract/pam.md section 3).
fn is_localhost(host: &[u8]) -> bool {
    let host = host.to_ascii_lowercase();
    matches!(host.as_slice(), b"localhost" | b"localhost." | b"localhost.localdomain")
        || host.ends_with(b".localhost")
}
