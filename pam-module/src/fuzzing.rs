//! What has to be true of the module for any application, environment and arguments whatever. Called by the fuzz target
//! `pam_arguments`, which compiles these files into itself (a shared object cannot be linked to), and by a test with the
//! seeds and with all that the fuzzer has ever found.

// To panic is what it is for.
#![allow(clippy::expect_used)]

use std::cell::RefCell;
use std::ffi::{CStr, CString};

use usher_protocol::messages::Call;
use usher_protocol::wire::{MAX_REQUEST, Request, encode_request};

use crate::arguments::Arguments;
use crate::inputs::Inputs;
use crate::open::request;
use crate::pam::{Account, Code, Item, OwnSession, Pam, Severity};

/// The longest line for the system log, in bytes.
const MAX_LINE: usize = 2048;

/// A PAM handle made of strings, each ended by NUL as PAM's own are: `item NAME=VALUE` (service, tty, rhost, ruser,
/// xdisplay), `env NAME=VALUE`, `process NAME=VALUE`, `account NAME=VALUE` (name, uid, home, shell); every other one is an
/// argument of the module.
struct Hostile<'a> {
    strings: Vec<&'a [u8]>,
    log: RefCell<Vec<String>>,
}

impl<'a> Hostile<'a> {
    fn value(&self, kind: &str, name: &str) -> Option<&'a [u8]> {
        let start = format!("{kind} {name}=");
        self.strings.iter().find_map(|string| string.strip_prefix(start.as_bytes()))
    }

    fn arguments(&self) -> Vec<String> {
        let kinds = [&b"item "[..], b"env ", b"process ", b"account "];
        let other = |string: &&&[u8]| !kinds.iter().any(|kind| string.starts_with(kind));
        self.strings.iter().filter(other).map(|string| String::from_utf8_lossy(string).into_owned()).collect()
    }
}

impl Pam for Hostile<'_> {
    fn user(&mut self) -> Result<CString, Code> {
        Ok(c"somebody".into())
    }

    fn account(&mut self, _: &CStr) -> Option<Account> {
        let value = |name, default: &[u8]| self.value("account", name).unwrap_or(default).to_vec();
        let uid = String::from_utf8(value("uid", b"1000")).ok()?.parse().ok()?;
        let (home, shell) = (value("home", b"/home/somebody"), value("shell", b"/bin/sh"));
        Some(Account { name: value("name", b"somebody"), uid, gid: uid, home, shell })
    }

    fn item(&self, item: Item) -> Option<Vec<u8>> {
        let name = match item {
            Item::Service => "service",
            Item::Tty => "tty",
            Item::RemoteHost => "rhost",
            Item::RemoteUser => "ruser",
            Item::XDisplay => "xdisplay",
        };
        self.value("item", name).map(<[u8]>::to_vec)
    }

    fn env(&self, name: &CStr) -> Option<Vec<u8>> {
        self.value("env", name.to_str().ok()?).map(<[u8]>::to_vec)
    }

    fn process_env(&self, name: &CStr) -> Option<Vec<u8>> {
        self.value("process", name.to_str().ok()?).map(<[u8]>::to_vec)
    }

    fn put_env(&mut self, _: &str, _: &str) -> Result<(), Code> {
        Ok(())
    }

    fn session(&self) -> Option<OwnSession> {
        None
    }

    fn set_session(&mut self, _: Option<OwnSession>) -> Result<(), Code> {
        Ok(())
    }

    fn log(&self, _: Severity, line: &str) {
        assert!(line.len() <= MAX_LINE && !line.contains(char::is_control), "{line:?}");
        self.log.borrow_mut().push(line.to_owned());
    }
}

/// A login. Whether it would be sent to usherd.
///
/// # Panics
/// What has to be true is not.
pub(crate) fn pam_arguments(bytes: &[u8]) -> bool {
    let mut pam = Hostile { strings: bytes.split(|byte| *byte == 0).collect(), log: RefCell::default() };
    let arguments = Arguments::read(&pam.arguments(), &pam);
    let Some(account) = pam.account(c"somebody") else { return false };
    let inputs = Inputs::read(&pam, &arguments);
    let (remote, seat) = (inputs.remote, inputs.seat.clone());
    let request = match request(&pam, &account, inputs) {
        Ok(request) => request,
        Err(code) => {
            assert!(code != Code::SUCCESS && !pam.log.borrow().is_empty(), "refused in silence");
            return false;
        }
    };
    assert_eq!(request.validate(), Ok(()));
    assert_eq!((request.uid.get(), request.remote), (account.uid, remote));
    assert!(
        !remote || (request.seat.is_none() && request.vtnr.is_none()),
        "a remote login has a seat: {request:?}"
    );
    assert!(
        request.seat.is_none() || request.seat == seat || request.vtnr.is_some(),
        "a seat from nowhere: {request:?}"
    );
    assert!(request.home.starts_with('/'), "{request:?}");

    let call = Call::OpenSession(Box::new(request));
    let parameters = call.parameters().expect("a request is plain data");
    assert_eq!(Call::parse(call.method(), Some(&parameters)).as_ref(), Ok(&call), "{}", parameters.get());
    let frame =
        Request { method: call.method().to_owned(), parameters: Some(parameters), more: true, oneway: false };
    assert!(
        encode_request(&frame).expect("a request is plain data").len() <= MAX_REQUEST,
        "usherd would not take it"
    );
    true
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    #[test]
    fn seeds_and_found_cases() {
        let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz");
        let directories = ["seeds", "found"].map(|kind| fuzz.join(kind).join("pam_arguments"));
        let entries = directories.iter().filter_map(|directory| std::fs::read_dir(directory).ok()).flatten();
        let cases = entries.filter_map(|entry| std::fs::read(entry.ok()?.path()).ok());
        assert!(cases.filter(|bytes| super::pam_arguments(bytes)).count() >= 4, "seeds that are logins");
    }
}
