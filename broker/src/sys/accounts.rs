//! The user database. A lookup may ask a network and hang for minutes, so it happens in a child process that can be
//! killed: usherd itself, started again with an internal argument.

use std::fs;
use std::io;
use std::process::{ExitCode, Stdio};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::io::AsyncReadExt;
use tokio::process::Command;
use usher_model::Account;
use usher_protocol::ids::{Uid, UserName};

/// usherd with this argument and a query calls [`lookup_main`] and does nothing else.
pub const LOOKUP_ARGUMENT: &str = "--internal-lookup";

/// Longer answers are no answers.
const ANSWER_LIMIT: u64 = 64 << 10;

/// Whom to look for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Query {
    /// The user with this number.
    ByUid(Uid),
    /// The user with this name.
    ByName(UserName),
}

impl Query {
    fn to_argument(&self) -> String {
        match self {
            Self::ByUid(uid) => format!("uid:{uid}"),
            Self::ByName(name) => format!("name:{name}"),
        }
    }

    fn from_argument(text: &str) -> Option<Self> {
        match text.split_once(':')? {
            ("uid", uid) => uid.parse().ok().map(Self::ByUid),
            ("name", name) => name.parse().ok().map(Self::ByName),
            _ => None,
        }
    }
}

/// Why a lookup gave nothing.
#[derive(Debug, thiserror::Error)]
pub enum LookupError {
    /// The database has answered: there is no such user.
    #[error("there is no such user")]
    NoSuchUser,
    /// The database has not answered in time.
    #[error("the user database did not answer within {} s", .0.as_secs())]
    TimedOut(Duration),
    /// The database cannot be asked now, or has answered nonsense.
    #[error("the user database failed: {0}")]
    Failed(String),
}

/// Looks a user up. Waits no longer than `timeout`, and kills the child if it is dropped earlier.
///
/// # Errors
/// The three ways in which there is no answer.
pub async fn lookup(query: &Query, timeout: Duration) -> Result<Account, LookupError> {
    // Still this program when its file has been replaced by an upgrade.
    let mut command = Command::new("/proc/self/exe");
    command.arg(LOOKUP_ARGUMENT).arg(query.to_argument());
    let answer = tokio::time::timeout(timeout, ask(command)).await;
    let answer = answer.map_err(|_| LookupError::TimedOut(timeout))?;
    let account = understand(&answer.map_err(|error| LookupError::Failed(error.to_string()))?)?;
    match query {
        Query::ByUid(uid) if account.uid != *uid => {
            Err(LookupError::Failed(format!("asked for uid {uid}, it answered for uid {}", account.uid)))
        }
        _ => Ok(account),
    }
}

/// Runs the child to its end and takes what it says.
async fn ask(mut command: Command) -> io::Result<Vec<u8>> {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn()?;
    let mut answer = Vec::new();
    if let Some(stdout) = child.stdout.take() {
        stdout.take(ANSWER_LIMIT).read_to_end(&mut answer).await?;
    }
    child.wait().await?;
    Ok(answer)
}

/// What the child says on its standard output, in JSON.
#[derive(Debug, Serialize, Deserialize, PartialEq, Eq)]
#[serde(tag = "answer", rename_all = "kebab-case")]
enum Answer {
    User { uid: Uid, gid: u32, name: UserName, home: String, shell: String },
    NoSuchUser,
    Failed { message: String },
}

pub(crate) fn understand(answer: &[u8]) -> Result<Account, LookupError> {
    match serde_json::from_slice(answer) {
        Ok(Answer::User { uid, gid, name, home, shell }) => Ok(Account { uid, gid, name, home, shell }),
        Ok(Answer::NoSuchUser) => Err(LookupError::NoSuchUser),
        Ok(Answer::Failed { message }) => Err(LookupError::Failed(message)),
        Err(_) if answer.is_empty() => Err(LookupError::Failed("the lookup process died".to_owned())),
        Err(error) => Err(LookupError::Failed(format!("the lookup process talks nonsense: {error}"))),
    }
}

/// All that the child process does: asks the database and prints the answer.
pub fn lookup_main(argument: &str) -> ExitCode {
    let answer = match Query::from_argument(argument) {
        Some(query) => consult(&query),
        None => Answer::Failed { message: "neither uid:NUMBER nor name:NAME".to_owned() },
    };
    match serde_json::to_string(&answer) {
        Ok(text) => {
            println!("{text}");
            ExitCode::SUCCESS
        }
        Err(_) => ExitCode::FAILURE,
    }
}

fn consult(query: &Query) -> Answer {
    use nix::unistd::User;
    let found = match query {
        Query::ByUid(uid) => User::from_uid(uid.get().into()),
        Query::ByName(name) => User::from_name(name.as_str()),
    };
    let failed = |message: &str| Answer::Failed { message: message.to_owned() };
    let user = match found {
        Ok(Some(user)) => user,
        Ok(None) => return Answer::NoSuchUser,
        // A service that is not up yet may say ENOENT: that is no answer about the user.
        Err(error) => return failed(error.desc()),
    };
    let text = |path: std::path::PathBuf| path.into_os_string().into_string().ok();
    let (Ok(uid), Ok(name)) = (user.uid.as_raw().try_into(), user.name.parse()) else {
        return failed("its uid or name is none that usher accepts");
    };
    match (text(user.dir), text(user.shell)) {
        (Some(home), Some(shell)) => Answer::User { uid, gid: user.gid.as_raw(), name, home, shell },
        _ => failed("its home directory or shell is not UTF-8"),
    }
}

/// The highest uid of a system user on this machine: SYS_UID_MAX of login.defs(5), or 999.
pub fn system_uid_max() -> u32 {
    parse_system_uid_max(&fs::read_to_string("/etc/login.defs").unwrap_or_default())
}

pub(crate) fn parse_system_uid_max(text: &str) -> u32 {
    let values = text.lines().filter_map(|line| {
        let mut words = line.split_ascii_whitespace();
        (words.next()? == "SYS_UID_MAX").then(|| words.next()?.parse().ok()).flatten()
    });
    values.fold(999, |_, last| last)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block_on<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
    }

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.arg("-c").arg(script);
        command
    }

    #[test]
    fn root_is_found_and_nobody_else_is_taken_for_a_failure() {
        let Answer::User { uid, gid, name, home, .. } = consult(&Query::ByUid(Uid::ROOT)) else {
            panic!("no root")
        };
        assert_eq!((uid, gid, name.as_str(), home.as_str()), (Uid::ROOT, 0, "root", "/root"));
        let by_name = consult(&Query::ByName("root".parse().unwrap()));
        assert!(matches!(by_name, Answer::User { uid: Uid::ROOT, .. }));
        assert_eq!(consult(&Query::ByUid(3_999_999_999.try_into().unwrap())), Answer::NoSuchUser);
        assert_eq!(consult(&Query::ByName("no-such-user-here".parse().unwrap())), Answer::NoSuchUser);
    }

    #[test]
    fn queries_survive_the_command_line() {
        for query in [Query::ByUid(Uid::ROOT), Query::ByName("we ird@x".parse().unwrap())] {
            assert_eq!(Query::from_argument(&query.to_argument()), Some(query));
        }
        for bad in ["", "uid:", "uid:-1", "name:../x", "root"] {
            assert_eq!(Query::from_argument(bad), None, "{bad}");
        }
    }

    #[test]
    fn answers_come_back() {
        let answer = r#"{"answer":"user","uid":1,"gid":2,"name":"a","home":"/h","shell":"/s"}"#;
        let account = block_on(ask(shell(&format!("echo '{answer}'")))).unwrap();
        assert_eq!(understand(&account).unwrap().home, "/h");
        assert!(matches!(understand(br#"{"answer":"no-such-user"}"#), Err(LookupError::NoSuchUser)));
    }

    #[test]
    fn nonsense_is_a_failure() {
        let output = block_on(ask(shell("yes"))).unwrap();
        assert_eq!(output.len() as u64, ANSWER_LIMIT, "no more is taken than any answer has");
        for answer in [&output[..], b"", br#"{"answer":"user","uid":4294967295}"#, b"\xff"] {
            assert!(matches!(understand(answer), Err(LookupError::Failed(_))));
        }
    }

    #[test]
    fn a_hung_child_is_killed() {
        let outcome = block_on(async {
            tokio::time::timeout(Duration::from_millis(50), ask(shell("exec sleep 1000"))).await
        });
        assert!(outcome.is_err());
    }

    #[test]
    fn system_users_end_where_login_defs_says() {
        assert_eq!(parse_system_uid_max(""), 999);
        assert_eq!(parse_system_uid_max("#SYS_UID_MAX 5\nSYS_UID_MAX\t\t 499\n"), 499);
        assert_eq!(parse_system_uid_max("SYS_UID_MAX many\nSYS_GID_MAX 3\n"), 999);
    }
}
