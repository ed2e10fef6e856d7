//! What usherd says when it is asked, or how it does not.

use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use serde::de::DeserializeOwned;
use usher_protocol::blocking::{CallError, Connection};
use usher_protocol::messages::{
    Call, Refusal, ServiceInfo, SessionList, SessionReply, SessionSelector, SessionView, StatusReply,
    StatusView, UserList, UserView,
};

/// Within this time usherd has to have answered everything; a login waits not much longer for it.
pub const PATIENCE: Duration = Duration::from_secs(4);
/// It is quick if the first answer comes within this.
pub const QUICK: Duration = Duration::from_secs(1);

/// How usherd can be reached at a socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reach {
    /// It answers, after this time.
    Answers(Duration),
    /// There is no socket.
    Absent,
    /// There is a socket that nobody listens at.
    Refuses,
    /// It takes the connection, or does not even do that, and does not answer.
    Hangs,
    /// Something else; in words.
    Fails(String),
}

/// usherd's answers; those to questions that it was not asked, or did not answer, are empty.
#[derive(Debug, Clone, Default)]
pub struct Asked {
    /// How it can be reached at the socket of everybody.
    pub reach: Option<Reach>,
    /// How it can be reached at root's; only root has tried.
    pub root_reach: Option<Reach>,
    /// Its version.
    pub version: Option<String>,
    /// How it is. Only root is told.
    pub status: Option<StatusView>,
    /// Its users.
    pub users: Option<Vec<UserView>>,
    /// Its sessions.
    pub sessions: Option<Vec<SessionView>>,
    /// The session that this process is in; `Some(None)`: in none.
    pub own_session: Option<Option<SessionView>>,
}

/// Asks everything, in [`PATIENCE`] at most for each socket that answers, and once if none does.
pub fn ask(socket: &Path, root_socket: Option<&Path>) -> Asked {
    let mut asked = Asked::default();
    if let Some(root_socket) = root_socket {
        let (reach, _) = reach(root_socket);
        // It is one process: who hangs here hangs there.
        if reach == Reach::Hangs {
            asked.reach = Some(Reach::Hangs);
        }
        asked.root_reach = Some(reach);
    }
    if asked.reach.is_none() {
        let (reach, answering) = reach(socket);
        asked.reach = Some(reach);
        if let Some((connection, version)) = answering {
            asked.version = Some(version);
            questions(connection, &mut asked);
        }
    }
    asked
}

/// Connects and asks for the version.
fn reach(socket: &Path) -> (Reach, Option<(Connection, String)>) {
    let begun = Instant::now();
    let deadline = begun + PATIENCE;
    let answer = Connection::connect_to(socket, deadline).and_then(|mut connection| {
        let info: ServiceInfo = connection.call(&Call::GetInfo, deadline)?;
        Ok((connection, info.version))
    });
    match answer {
        Ok(answering) => (Reach::Answers(begun.elapsed()), Some(answering)),
        Err(CallError::Absent(error)) if error.kind() == io::ErrorKind::NotFound => (Reach::Absent, None),
        Err(CallError::Absent(error)) if error.kind() == io::ErrorKind::ConnectionRefused => {
            (Reach::Refuses, None)
        }
        Err(CallError::Absent(error)) => (Reach::Fails(error.to_string()), None),
        Err(CallError::TimedOut(_)) => (Reach::Hangs, None),
        Err(error) => (Reach::Fails(error.to_string()), None),
    }
}

fn questions(mut connection: Connection, asked: &mut Asked) {
    let deadline = Instant::now() + PATIENCE;
    asked.status =
        question(&mut connection, &Call::GetStatus, deadline).map(|StatusReply { status }| status).ok();
    asked.users = question(&mut connection, &Call::ListUsers, deadline).map(|UserList { users }| users).ok();
    asked.sessions = question(&mut connection, &Call::ListSessions, deadline)
        .map(|SessionList { sessions }| sessions)
        .ok();
    let own = Call::GetSession(SessionSelector { session: Some("self".to_owned()) });
    asked.own_session = match question(&mut connection, &own, deadline) {
        Ok(SessionReply { session }) => Some(Some(session)),
        Err(CallError::Refused(Refusal::NoSessionForCaller {} | Refusal::NoSuchSession { .. })) => Some(None),
        Err(_) => None,
    };
}

fn question<T: DeserializeOwned>(
    connection: &mut Connection,
    call: &Call,
    deadline: Instant,
) -> Result<T, CallError> {
    connection.call(call, deadline)
}
