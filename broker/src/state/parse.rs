//! A text's record. Takes usher's own files and a real logind's; unknown keys are nobody's business here.

use std::collections::HashMap;
use std::str::FromStr;

use usher_model::record::{GcMode, RuntimeDir, RuntimeKind, SeatRecord, SessionRecord, UserRecord};
use usher_model::{BusName, Now};
use usher_model::{CgroupUse, ManagerUse};
use usher_protocol::ids::{LeaderPid, SeatId, SessionId, Uid};

use super::unescape;

/// Why a file is no record.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// A key that every such file has is not there.
    #[error("{0}= is missing")]
    Missing(&'static str),
    /// A value makes no sense.
    #[error("the value of {0}= makes no sense")]
    Bad(&'static str),
}

/// Reads `sessions/ID`. A file that logind has written says neither USHER_LEADER_PIDFDID nor USHER_LEADER_START; its leader
/// comes out with start time 0, which no process but a kernel thread has.
///
/// # Errors
/// A key that is missing or makes no sense.
pub fn session(id: &SessionId, text: &str) -> Result<SessionRecord, ParseError> {
    let file = EnvFile::new(text);
    Ok(SessionRecord {
        id: id.clone(),
        uid: file.required("UID")?,
        user: file.required("USER")?,
        active: file.flag("ACTIVE")?,
        is_display: file.flag("IS_DISPLAY")?,
        state: file.required("STATE")?,
        remote: file.flag("REMOTE")?,
        kind: file.required("TYPE")?,
        original_kind: file.optional("ORIGINAL_TYPE")?.map_or_else(|| file.required("TYPE"), Ok)?,
        class: file.required("CLASS")?,
        scope: Some(file.text("SCOPE")?).filter(|scope| !scope.is_empty()),
        fifo: file.raw("FIFO").is_some(),
        seat: file.optional("SEAT")?,
        tty: file.text("TTY")?,
        display: file.text("DISPLAY")?,
        remote_host: file.text("REMOTE_HOST")?,
        remote_user: file.text("REMOTE_USER")?,
        service: file.text("SERVICE")?,
        desktop: file.text("DESKTOP")?,
        vtnr: file.optional::<Number<u32>>("VTNR")?.and_then(|Number(vt)| vt.try_into().ok()),
        position: file.number("POSITION")?.unwrap_or_default(),
        leader: file.process("LEADER", "USHER_LEADER_PIDFDID", "USHER_LEADER_START")?,
        audit: file.number("AUDIT")?,
        realtime: file.number("REALTIME")?.ok_or(ParseError::Missing("REALTIME"))?,
        monotonic: file.number("MONOTONIC")?.unwrap_or_default(),
        controller: Some(file.text("CONTROLLER")?).filter(|name| !name.is_empty()).map(BusName),
        idle_since: file.time("USHER_IDLE_REALTIME", "USHER_IDLE_MONOTONIC")?,
        locked: file.flag("USHER_LOCKED")?,
        origin: Some(file.text("USHER_ORIGIN")?).filter(|origin| !origin.is_empty()),
        released: file.flag("USHER_RELEASED")?,
        told_to_go: file.flag("USHER_TOLD_TO_GO")?,
        manager: file.word("USHER_MANAGER", ManagerUse::from_word)?.unwrap_or_default(),
        cgroup: file.word("USHER_CGROUP", CgroupUse::from_word)?.unwrap_or_default(),
    })
}

/// Reads `users/UID`. The six lists are for libsystemd; `sessions` stays empty, for the session files know better.
///
/// # Errors
/// A key that is missing or makes no sense. A logind's file lacks USHER_GID: its user has to be looked up anew.
pub fn user(uid: Uid, text: &str) -> Result<UserRecord, ParseError> {
    let file = EnvFile::new(text);
    Ok(UserRecord {
        uid,
        name: file.required("NAME")?,
        state: file.required("STATE")?,
        stopping: file.flag("STOPPING")?,
        gc_mode: file.word("GC_MODE", GcMode::from_word)?.unwrap_or(GcMode::Any),
        display: file.optional("DISPLAY")?,
        realtime: file.number("REALTIME")?.unwrap_or_default(),
        monotonic: file.number("MONOTONIC")?.unwrap_or_default(),
        last_session: file.number("LAST_SESSION_TIMESTAMP")?,
        sessions: Vec::new(),
        gid: file.number("USHER_GID")?.ok_or(ParseError::Missing("USHER_GID"))?,
        home: file.text("USHER_HOME")?,
        shell: file.text("USHER_SHELL")?,
        runtime: file.runtime()?,
        manager: file.process("USHER_MANAGER_PID", "USHER_MANAGER_PIDFDID", "USHER_MANAGER_START")?,
        manager_ready: file.flag("USHER_MANAGER_READY")?,
        terminated: file.flag("USHER_TERMINATED")?,
    })
}

/// Reads `seats/SEAT`.
///
/// # Errors
/// A key that makes no sense, or lists of unequal length.
pub fn seat(id: &SeatId, text: &str) -> Result<SeatRecord, ParseError> {
    let file = EnvFile::new(text);
    let sessions: Vec<SessionId> = file.list("SESSIONS")?;
    let uids: Vec<Uid> = file.list("UIDS")?;
    if sessions.len() != uids.len() {
        return Err(ParseError::Bad("UIDS"));
    }
    Ok(SeatRecord {
        id: id.clone(),
        can_tty: file.flag("CAN_TTY")?,
        can_graphical: file.flag("CAN_GRAPHICAL")?,
        active: file.optional("ACTIVE")?.zip(file.optional("ACTIVE_UID")?),
        sessions: sessions.into_iter().zip(uids).collect(),
    })
}

/// `KEY=VALUE` lines. Of several lines with one key the last counts; comments and other lines mean nothing.
struct EnvFile<'a>(HashMap<&'a str, &'a str>);

impl<'a> EnvFile<'a> {
    fn new(text: &'a str) -> Self {
        let lines = text.split('\n').filter(|line| !line.starts_with(['#', ';']));
        Self(lines.filter_map(|line| line.split_once('=')).collect())
    }

    /// The value as it stands; an empty one is none.
    fn raw(&self, key: &str) -> Option<&'a str> {
        self.0.get(key).copied().filter(|value| !value.is_empty())
    }

    fn optional<T: FromStr>(&self, key: &'static str) -> Result<Option<T>, ParseError> {
        self.raw(key).map(|value| value.parse().map_err(|_| ParseError::Bad(key))).transpose()
    }

    fn required<T: FromStr>(&self, key: &'static str) -> Result<T, ParseError> {
        self.optional(key)?.ok_or(ParseError::Missing(key))
    }

    fn number<T: FromStr>(&self, key: &'static str) -> Result<Option<T>, ParseError> {
        Ok(self.optional::<Number<T>>(key)?.map(|Number(number)| number))
    }

    /// `1`/`0` or `yes`/`no`; absent is no.
    fn flag(&self, key: &'static str) -> Result<bool, ParseError> {
        match self.raw(key) {
            Some("1" | "yes") => Ok(true),
            None | Some("0" | "no") => Ok(false),
            Some(_) => Err(ParseError::Bad(key)),
        }
    }

    fn word<T>(&self, key: &'static str, known: impl Fn(&str) -> Option<T>) -> Result<Option<T>, ParseError> {
        self.raw(key).map(|word| known(word).ok_or(ParseError::Bad(key))).transpose()
    }

    /// Somebody else's text, unescaped; absent is empty.
    fn text(&self, key: &'static str) -> Result<String, ParseError> {
        unescape(self.raw(key).unwrap_or_default()).ok_or(ParseError::Bad(key))
    }

    fn list<T: FromStr>(&self, key: &'static str) -> Result<Vec<T>, ParseError> {
        let words = self.raw(key).unwrap_or_default().split_ascii_whitespace();
        words.map(|word| word.parse().map_err(|_| ParseError::Bad(key))).collect()
    }

    fn runtime(&self) -> Result<Option<RuntimeDir>, ParseError> {
        let mount = self.number("USHER_RUNTIME_MOUNT")?;
        Ok(self.word("USHER_RUNTIME", RuntimeKind::from_word)?.map(|kind| RuntimeDir { kind, mount }))
    }

    fn time(&self, realtime: &'static str, monotonic: &'static str) -> Result<Option<Now>, ParseError> {
        let (realtime, monotonic) = (self.number(realtime)?, self.number(monotonic)?);
        Ok(realtime.zip(monotonic).map(|(realtime, monotonic)| Now { monotonic, realtime }))
    }

    fn process(
        &self,
        pid: &'static str,
        pidfd: &'static str,
        start: &'static str,
    ) -> Result<Option<LeaderPid>, ParseError> {
        let (pid, inode, start) = (self.number(pid)?, self.number(pidfd)?, self.number(start)?);
        if pid.is_none() && inode.is_none() && start.is_none() {
            return Ok(None);
        }
        // One without a number of its own is one that nobody else is to take for one.
        let pid = pid.unwrap_or_default();
        let by_start = LeaderPid { pid, start: start.unwrap_or_default() };
        Ok(Some(inode.map_or(by_start, |inode| LeaderPid::by_inode(pid, inode))))
    }
}

/// A number of digits only: `FromStr` of the integers takes a plus sign, too.
struct Number<T>(T);

impl<T: FromStr> FromStr for Number<T> {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let digits = text.bytes().all(|b| b.is_ascii_digit());
        if digits { text.parse().map(Number).map_err(|_| ()) } else { Err(()) }
    }
}
