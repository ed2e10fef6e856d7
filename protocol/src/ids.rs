//! Identifiers as types. Parsing is the check: past the edge that parsed them nobody checks again. Copies share one text: a
//! broker keeps many of each.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// A text that is not an identifier of the kind that was asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{text}' is not a {kind}: {rule}")]
pub struct BadId {
    kind: &'static str,
    rule: &'static str,
    text: String,
}

impl BadId {
    fn new(kind: &'static str, rule: &'static str, text: &str) -> Self {
        // An error message is no place for a megabyte of somebody's input.
        let text = text.chars().take(64).flat_map(char::escape_default).collect();
        Self { kind, rule, text }
    }
}

/// A session's name: 1 to 64 ASCII letters and digits, all that libsystemd accepts
/// (contract/state-files.md section 6).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SessionId(Arc<str>);

impl SessionId {
    /// The longest identifier accepted, in bytes.
    pub const MAX_LEN: usize = 64;

    /// The identifier as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name of the session's cgroup, `session-ID.scope` (contract/user-lifecycle.md section 7).
    pub fn scope(&self) -> String {
        format!("session-{self}.scope")
    }

    /// The session whose scope a cgroup is called by, if it is a session's scope at all.
    pub fn from_scope(unit: &str) -> Option<Self> {
        unit.strip_prefix("session-")?.strip_suffix(".scope")?.parse().ok()
    }
}

impl From<u64> for SessionId {
    fn from(number: u64) -> Self {
        Self(number.to_string().into())
    }
}

impl FromStr for SessionId {
    type Err = BadId;

    fn from_str(text: &str) -> Result<Self, BadId> {
        let fits = (1..=Self::MAX_LEN).contains(&text.len());
        if fits && text.bytes().all(|b| b.is_ascii_alphanumeric()) {
            Ok(Self(text.into()))
        } else {
            Err(BadId::new("session id", "1 to 64 letters and digits", text))
        }
    }
}

impl TryFrom<String> for SessionId {
    type Error = BadId;

    fn try_from(text: String) -> Result<Self, BadId> {
        text.parse()
    }
}

impl From<SessionId> for String {
    fn from(id: SessionId) -> Self {
        id.as_str().to_owned()
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A user's number. Never 0xFFFFFFFF or 0xFFFF, which mean "nobody was named" to the kernel and to systemd.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u32", into = "u32")]
pub struct Uid(u32);

impl Uid {
    /// The superuser.
    pub const ROOT: Self = Self(0);

    /// The number itself.
    pub const fn get(self) -> u32 {
        self.0
    }

    /// Whether this is the superuser.
    pub const fn is_root(self) -> bool {
        self.0 == 0
    }

    /// The user's runtime directory, `/run/user/UID`.
    pub fn runtime_path(self) -> String {
        format!("/run/user/{self}")
    }

    /// The user's slice, `user-UID.slice`.
    pub fn slice(self) -> String {
        format!("user-{self}.slice")
    }

    /// The unit that the user's manager runs as, `user@UID.service`.
    pub fn manager_unit(self) -> String {
        format!("user@{self}.service")
    }
}

impl TryFrom<u32> for Uid {
    type Error = BadId;

    fn try_from(number: u32) -> Result<Self, BadId> {
        match number {
            0xFFFF | 0xFFFF_FFFF => {
                Err(BadId::new("uid", "65535 and 4294967295 stand for no user", &number.to_string()))
            }
            _ => Ok(Self(number)),
        }
    }
}

impl From<Uid> for u32 {
    fn from(uid: Uid) -> Self {
        uid.0
    }
}

impl FromStr for Uid {
    type Err = BadId;

    /// Decimal digits only: no sign, no leading zero, no `0x` (CVE-2020-13776).
    fn from_str(text: &str) -> Result<Self, BadId> {
        let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        if !digits || (text.len() > 1 && text.starts_with('0')) {
            return Err(BadId::new("uid", "a decimal number", text));
        }
        let number: u32 = text.parse().map_err(|_| BadId::new("uid", "a number below 2^32", text))?;
        number.try_into()
    }
}

impl fmt::Display for Uid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A user's name as it may stand in a file name, a log line, a state file and a command line: 1 to 255 bytes, no slash, no
/// control character, no `:`, not `.` or `..`, no white space at the ends, no dash at the beginning, and not a number that
/// could be taken for a uid. That is what systemd takes from user databases ("relaxed" in its USER_NAMES document), and
/// more than useradd(8) makes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct UserName(Arc<str>);

impl UserName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for UserName {
    type Err = BadId;

    fn from_str(text: &str) -> Result<Self, BadId> {
        let bad = |rule| Err(BadId::new("user name", rule, text));
        if text.is_empty() || text.len() > 255 {
            return bad("1 to 255 bytes");
        }
        if text == "." || text == ".." {
            return bad("not a directory");
        }
        if text.chars().any(|c| c.is_control() || matches!(c, '/' | ':')) {
            return bad("no slash, colon or control character");
        }
        if text.trim() != text || text.starts_with('-') {
            return bad("no white space at the ends, no dash at the beginning");
        }
        if looks_like_a_number(text) {
            return bad("a number would be taken for a uid");
        }
        Ok(Self(text.into()))
    }
}

/// Whether a lenient reader (`strtoul` with base 0) would take the text for a number: blanks and a sign may come first.
fn looks_like_a_number(text: &str) -> bool {
    let text = text.trim_start_matches(' ');
    let text = text.strip_prefix(['+', '-']).unwrap_or(text);
    let hex = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X"));
    let number =
        |digits: &str, fits: fn(&u8) -> bool| !digits.is_empty() && digits.as_bytes().iter().all(fits);
    match hex {
        Some(digits) => number(digits, u8::is_ascii_hexdigit),
        None => number(text, u8::is_ascii_digit),
    }
}

impl TryFrom<String> for UserName {
    type Error = BadId;

    fn try_from(text: String) -> Result<Self, BadId> {
        text.parse()
    }
}

impl From<UserName> for String {
    fn from(name: UserName) -> Self {
        name.as_str().to_owned()
    }
}

impl fmt::Display for UserName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A seat's name: `seat` and 1 to 251 of `[A-Za-z0-9_-]` (contract/seats-devices.md section 1).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SeatId(Arc<str>);

impl SeatId {
    /// The seat that always exists, with the machine's virtual terminals.
    pub fn seat0() -> Self {
        Self("seat0".into())
    }

    /// Whether this is `seat0`.
    pub fn is_seat0(&self) -> bool {
        &*self.0 == "seat0"
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for SeatId {
    type Err = BadId;

    fn from_str(text: &str) -> Result<Self, BadId> {
        let rest = text.strip_prefix("seat").unwrap_or_default();
        let fits = !rest.is_empty() && text.len() <= 255;
        if fits && rest.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-')) {
            Ok(Self(text.into()))
        } else {
            Err(BadId::new("seat", "'seat' and letters, digits, '-' or '_'", text))
        }
    }
}

impl TryFrom<String> for SeatId {
    type Error = BadId;

    fn try_from(text: String) -> Result<Self, BadId> {
        text.parse()
    }
}

impl From<SeatId> for String {
    fn from(id: SeatId) -> Self {
        id.as_str().to_owned()
    }
}

impl fmt::Display for SeatId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A virtual terminal's number, 1 to 63.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u32", into = "u32")]
pub struct VtNr(u8);

impl VtNr {
    /// The number itself.
    pub const fn get(self) -> u32 {
        self.0 as u32
    }

    /// The terminal that a tty name such as `tty1` or `/dev/tty1` stands for; `None` for any other tty.
    pub fn from_tty(tty: &str) -> Option<Self> {
        let digits = tty.strip_prefix("/dev/").unwrap_or(tty).strip_prefix("tty")?;
        digits.parse::<Uid>().ok()?.get().try_into().ok()
    }
}

impl TryFrom<u32> for VtNr {
    type Error = BadId;

    fn try_from(number: u32) -> Result<Self, BadId> {
        match u8::try_from(number) {
            Ok(n @ 1..=63) => Ok(Self(n)),
            _ => Err(BadId::new("virtual terminal", "1 to 63", &number.to_string())),
        }
    }
}

impl From<VtNr> for u32 {
    fn from(vt: VtNr) -> Self {
        vt.get()
    }
}

impl fmt::Display for VtNr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The process that a session stands and falls with. The number alone names nobody after the process has gone:
/// with what tells it from all others that have had or will have that number, it names one process of this boot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct LeaderPid {
    /// The process id, in the broker's pid namespace; 0 for a process that has none there.
    pub pid: u32,
    /// When it started, in clock ticks since boot (`/proc/PID/stat` field 22, proc(5)); or, where the kernel has such
    /// numbers, [`Self::inode`].
    pub start: u64,
}

impl LeaderPid {
    /// Tells inodes from start times, in [`Self::start`]; no number of either kind is as large as this.
    const IS_INODE: u64 = 1 << 63;

    /// The process whose pidfd has this inode. Numbers beyond 63 bits, which the kernel does not reach, are cut off.
    #[must_use]
    pub const fn by_inode(pid: u32, inode: u64) -> Self {
        Self { pid, start: inode | Self::IS_INODE }
    }

    /// The number of its pidfd's inode, which the kernel gives to no other process of this boot (since Linux 6.9).
    pub const fn inode(&self) -> Option<u64> {
        if self.start & Self::IS_INODE == 0 { None } else { Some(self.start & !Self::IS_INODE) }
    }

    /// Whether the process lives in a pid namespace that the broker does not see into. Only its pidfd stands for it: its
    /// end can be waited for, but it can neither be signalled nor be found again once the pidfd is closed.
    pub const fn is_hidden(&self) -> bool {
        self.pid == 0
    }
}

impl fmt::Display for LeaderPid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.pid.fmt(f)
    }
}

#[cfg(test)]
mod tests;
