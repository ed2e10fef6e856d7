//! One PAM transaction, from pam_start(3) to pam_end(3).

use std::ffi::{CString, OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

use crate::error::{Code, PamError};
use crate::ffi::Handle;

/// The items a program without a user in front of it has to tell (pam_set_item(3)).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Item {
    /// PAM_TTY: the terminal.
    Tty,
    /// PAM_RHOST: the machine that the user sits at.
    RemoteHost,
    /// PAM_RUSER: the user's name over there, or who asked for the login.
    RemoteUser,
    /// PAM_XDISPLAY: the X display.
    XDisplay,
}

/// What pam_setcred(3) is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Credentials {
    /// PAM_ESTABLISH_CRED.
    Establish,
    /// PAM_DELETE_CRED.
    Delete,
}

/// A PAM transaction. Not `Send`: modules may keep what belongs to a thread. A copy made by fork(2) is a transaction
/// of its own for libpam, and only one side may close and end it: see [`Transaction::leave_to_child`].
#[derive(Debug)]
pub struct Transaction {
    handle: Handle,
    service: String,
    /// What the last call returned: pam_end(3) passes it on to the modules' clean-up functions.
    last: Code,
}

impl Transaction {
    /// Starts a transaction of a service (a file in /etc/pam.d) for a user.
    ///
    /// # Errors
    /// When the texts contain NUL, or libpam cannot read the service's configuration.
    pub fn start(service: &str, user: &str) -> Result<Self, PamError> {
        let failed =
            |code, text: String| PamError { operation: "pam_start", service: service.to_owned(), code, text };
        let handle = match (CString::new(service), CString::new(user)) {
            (Ok(service), Ok(user)) => Handle::start(&service, &user),
            _ => return Err(failed(Code::BAD_ITEM, "service or user name contains NUL".to_owned())),
        };
        match handle {
            Ok(handle) => Ok(Self { handle, service: service.to_owned(), last: Code::SUCCESS }),
            Err(code) => Err(failed(code, "is there a file of that name in /etc/pam.d?".to_owned())),
        }
    }

    /// Tells the modules something about where the login comes from.
    ///
    /// # Errors
    /// When the value contains NUL, or memory is short.
    pub fn set_item(&mut self, item: Item, value: &OsStr) -> Result<(), PamError> {
        let code = match CString::new(value.as_bytes()) {
            Ok(value) => self.handle.set_item(item, &value),
            Err(_) => Code::BAD_ITEM,
        };
        self.result("pam_set_item", code)
    }

    /// Sets a variable of the environment that modules see and add to, pam_putenv(3).
    ///
    /// # Errors
    /// When the name is empty or contains `=`, either contains NUL, or memory is short.
    pub fn putenv(&mut self, name: &str, value: &OsStr) -> Result<(), PamError> {
        let mut text = name.as_bytes().to_vec();
        text.push(b'=');
        text.extend_from_slice(value.as_bytes());
        let code = match CString::new(text) {
            Ok(text) if !name.is_empty() && !name.contains('=') => self.handle.putenv(&text),
            _ => Code::BAD_ITEM,
        };
        self.result("pam_putenv", code)
    }

    /// Whether the account may be used now: expiry, nologin, access rules (pam_acct_mgmt(3)).
    ///
    /// # Errors
    /// When it may not.
    pub fn acct_mgmt(&mut self) -> Result<(), PamError> {
        let code = self.handle.acct_mgmt();
        self.result("pam_acct_mgmt", code)
    }

    /// Establishes or deletes the user's credentials, pam_setcred(3).
    ///
    /// # Errors
    /// When a required module refuses.
    pub fn setcred(&mut self, what: Credentials) -> Result<(), PamError> {
        let code = self.handle.setcred(what);
        self.result("pam_setcred", code)
    }

    /// Opens the session, pam_open_session(3).
    ///
    /// # Errors
    /// When a required module refuses.
    pub fn open_session(&mut self) -> Result<(), PamError> {
        let code = self.handle.open_session();
        self.result("pam_open_session", code)
    }

    /// Closes the session, pam_close_session(3).
    ///
    /// # Errors
    /// When a required module refuses.
    pub fn close_session(&mut self) -> Result<(), PamError> {
        let code = self.handle.close_session();
        self.result("pam_close_session", code)
    }

    /// The environment for the user's first process, pam_getenvlist(3).
    ///
    /// # Errors
    /// When memory is short.
    pub fn getenvlist(&mut self) -> Result<Vec<(OsString, OsString)>, PamError> {
        let entries = self.handle.getenvlist();
        let code = entries.as_ref().map_or(Code::BUF_ERR, |_| Code::SUCCESS);
        self.result("pam_getenvlist", code)?;
        Ok(entries.unwrap_or_default().iter().filter_map(|entry| split(entry.as_bytes())).collect())
    }

    /// Forgets the transaction without pam_end: after a fork(2) whose child keeps its own copy and is the one to close
    /// and end it. Modules' clean-up functions must run in one of the two only.
    pub fn leave_to_child(self) {
        std::mem::forget(self);
    }

    fn result(&mut self, operation: &'static str, code: Code) -> Result<(), PamError> {
        self.last = code;
        if code == Code::SUCCESS {
            return Ok(());
        }
        let text = self.handle.describe(code);
        Err(PamError { operation, service: self.service.clone(), code, text })
    }
}

impl Drop for Transaction {
    fn drop(&mut self) {
        self.handle.end(self.last);
    }
}

/// `NAME=VALUE`; anything else is not a variable.
fn split(entry: &[u8]) -> Option<(OsString, OsString)> {
    let at = entry.iter().position(|&b| b == b'=')?;
    let (name, value) = entry.split_at(at);
    let value = value.get(1..)?;
    let own = |bytes| OsStr::from_bytes(bytes).to_owned();
    (!name.is_empty()).then(|| (own(name), own(value)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// libpam falls back to the service `other` where a file is missing, so that this runs on any machine.
    fn transaction() -> Transaction {
        Transaction::start("usher-pam-test", "root").unwrap_or_else(|e| unreachable!("{e}"))
    }

    #[test]
    fn the_environment_comes_back_as_it_was_put() {
        let mut pam = transaction();
        assert_eq!(pam.getenvlist(), Ok(Vec::new()));
        assert_eq!(pam.putenv("LANG", OsStr::new("C.UTF-8")), Ok(()));
        assert_eq!(pam.putenv("EMPTY", OsStr::new("")), Ok(()));
        assert_eq!(pam.putenv("EQUALS", OsStr::new("a=b")), Ok(()));
        let mut list = pam.getenvlist().unwrap_or_default();
        list.sort();
        let expected = [("EMPTY", ""), ("EQUALS", "a=b"), ("LANG", "C.UTF-8")];
        assert_eq!(list, expected.map(|(name, value)| (name.into(), value.into())));
    }

    #[test]
    fn what_libpam_cannot_take_is_an_error_and_nothing_else() {
        let mut pam = transaction();
        for name in ["", "A=B", "A\0"] {
            let refused = pam.putenv(name, OsStr::new("x"));
            assert_eq!(refused.map_err(|e| e.code), Err(Code::BAD_ITEM), "{name:?}");
        }
        let refused = pam.set_item(Item::Tty, OsStr::new("a\0b"));
        assert_eq!(refused.map_err(|e| e.code), Err(Code::BAD_ITEM));
        assert_eq!(pam.set_item(Item::Tty, OsStr::new("/dev/pts/1")), Ok(()));
        assert!(Transaction::start("a\0b", "root").is_err());
    }

    #[test]
    fn errors_name_the_call_the_service_and_the_reason() {
        let mut pam = transaction();
        let text = pam.putenv("", OsStr::new("")).map_err(|e| e.to_string());
        let text = text.err().unwrap_or_default();
        assert!(
            text.contains("pam_putenv") && text.contains("usher-pam-test") && text.contains("29"),
            "{text}"
        );
    }

    #[test]
    fn only_name_and_value_make_a_variable() {
        assert_eq!(split(b"A=b=c"), Some(("A".into(), "b=c".into())));
        assert_eq!(split(b"A="), Some(("A".into(), "".into())));
        assert_eq!(split(b"=x"), None);
        assert_eq!(split(b"A"), None);
    }
}
