//! What the module needs of libpam, as a trait: [`crate::ffi`] has the real one, the tests a table.

use std::ffi::{CStr, CString, c_int};

use usher_protocol::ids::SessionId;
use usher_protocol::messages::CloseToken;

/// A PAM return code (`_pam_types.h`, "The Linux-PAM return values").
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Code(pub(crate) c_int);

impl Code {
    pub(crate) const SUCCESS: Self = Self(0);
    pub(crate) const SERVICE_ERR: Self = Self(3);
    pub(crate) const USER_UNKNOWN: Self = Self(10);
    pub(crate) const SESSION_ERR: Self = Self(14);
    pub(crate) const IGNORE: Self = Self(25);
}

/// The items that say where a login comes from (pam_get_item(3)).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Item {
    Service,
    Tty,
    RemoteHost,
    RemoteUser,
    XDisplay,
}

/// How much a line in the system log matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Severity {
    Error,
    Warning,
    Debug,
}

/// A line of the user database, as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Account {
    pub(crate) name: Vec<u8>,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    pub(crate) home: Vec<u8>,
    pub(crate) shell: Vec<u8>,
}

/// What a handle remembers of the session that it has opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OwnSession {
    pub(crate) id: SessionId,
    /// Closes it from any process, as any user; an older usherd gives none.
    pub(crate) token: Option<CloseToken>,
    /// The process that has opened it. A fork copies the handle, but not what it stands for.
    pub(crate) opener: u32,
}

/// One login's PAM handle and process.
pub(crate) trait Pam {
    /// Whose login it is, pam_get_user(3).
    fn user(&mut self) -> Result<CString, Code>;

    /// What the user database says of a user. The application has just looked the same user up, so that this waits
    /// for no name service that the login has not waited for already.
    fn account(&mut self, name: &CStr) -> Option<Account>;

    /// An item's value; nothing when it is unset or libpam does not know the item.
    fn item(&self, item: Item) -> Option<Vec<u8>>;

    /// A variable of the PAM environment.
    fn env(&self, name: &CStr) -> Option<Vec<u8>>;

    /// A variable of the process; nothing in a set-uid program, secure_getenv(3).
    fn process_env(&self, name: &CStr) -> Option<Vec<u8>>;

    /// Sets a variable of the PAM environment.
    fn put_env(&mut self, name: &str, value: &str) -> Result<(), Code>;

    /// The session that *this handle* has opened. Kept in PAM data, which only modules can write: an environment
    /// variable could name somebody else's session.
    fn session(&self) -> Option<OwnSession>;

    /// Remembers the session, or forgets it.
    fn set_session(&mut self, session: Option<OwnSession>) -> Result<(), Code>;

    /// Writes a line to the system log.
    fn log(&self, severity: Severity, line: &str);
}
