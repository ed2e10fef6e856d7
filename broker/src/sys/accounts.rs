//! The user database. A lookup may ask a network and hang for minutes, so it happens in a child process that can be
//! killed: usherd itself, started again with an internal argument.

use std::fs;
use std::io;
use std::process::{ExitCode, Stdio};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Signal, set_parent_process_death_signal};
use serde::{Deserialize, Serialize};
use tokio::io::AsyncReadExt;
use tokio::process::{Child, ChildStdout, Command};
use usher_model::Account;
use usher_protocol::ids::{Uid, UserName};

use super::home;

/// usherd with this argument and a query calls [`lookup_main`] and does nothing else.
pub const LOOKUP_ARGUMENT: &str = "--internal-lookup";

/// Longer answers are no answers.
const ANSWER_LIMIT: usize = 64 << 10;

/// Whom to look for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Query {
    /// The user with this number.
    ByUid(Uid),
    /// The user with this name.
    ByName {
        /// The name.
        name: UserName,
        /// Whether the home directory has to be there, too.
        home: bool,
    },
}

impl Query {
    fn to_argument(&self) -> String {
        match self {
            Self::ByUid(uid) => format!("uid:{uid}"),
            Self::ByName { name, home: false } => format!("name:{name}"),
            Self::ByName { name, home: true } => format!("home:{name}"),
        }
    }

    fn from_argument(text: &str) -> Option<Self> {
        match text.split_once(':')? {
            ("uid", uid) => uid.parse().ok().map(Self::ByUid),
            (kind @ ("name" | "home"), name) => {
                let name = name.parse().ok()?;
                Some(Self::ByName { name, home: kind == "home" })
            }
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
    /// There is such a user, but no home directory, and why.
    #[error("{0}")]
    NoHome(String),
}

/// A child process that looks a user up. Killed if it is dropped, and by the kernel if usherd dies.
#[derive(Debug)]
pub struct Helper {
    query: Query,
    child: Child,
    output: Option<ChildStdout>,
    answer: Vec<u8>,
    killed: bool,
}

impl Helper {
    /// Starts it. To be called inside a tokio runtime, in the thread that lives as long as the process.
    ///
    /// # Errors
    /// The kernel's.
    pub fn start(query: &Query) -> io::Result<Self> {
        // Still this program when its file has been replaced by an upgrade.
        let mut command = Command::new("/proc/self/exe");
        command.arg(LOOKUP_ARGUMENT).arg(query.to_argument());
        Self::running(command, query)
    }

    fn running(mut command: Command, query: &Query) -> io::Result<Self> {
        // By the other end of its standard input it knows whether usherd lives.
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn()?;
        let output = child.stdout.take();
        Ok(Self { query: query.clone(), child, output, answer: Vec::new(), killed: false })
    }

    /// What it says, once it has said it. May be given up and asked again.
    ///
    /// # Errors
    /// The ways in which there is no answer.
    pub async fn answer(&mut self) -> Result<Account, LookupError> {
        while let Some(output) = &mut self.output {
            let read = output.read_buf(&mut self.answer).await;
            let read = read.map_err(|error| LookupError::Failed(error.to_string()))?;
            if read == 0 || self.answer.len() > ANSWER_LIMIT {
                self.output = None;
            }
        }
        let account = understand(&self.answer)?;
        match self.query {
            Query::ByUid(uid) if account.uid != uid => {
                Err(LookupError::Failed(format!("asked for uid {uid}, it answered for uid {}", account.uid)))
            }
            _ => Ok(account),
        }
    }

    /// Kills it.
    pub fn kill(&mut self) {
        self.killed = true;
        // One that has ended already is as good.
        let _ = self.child.start_kill();
    }

    /// Whether it has been told to die.
    pub fn is_killed(&self) -> bool {
        self.killed
    }

    /// Whether nothing is left of it.
    pub fn is_gone(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }

    /// Kills it and waits for its end, which does not come while it hangs in the kernel.
    pub async fn end(&mut self) {
        self.kill();
        let _ = self.child.wait().await;
    }
}

/// What the child says on its standard output, in JSON.
#[derive(Debug, Serialize, Deserialize, PartialEq, Eq)]
#[serde(tag = "answer", rename_all = "kebab-case")]
enum Answer {
    User { uid: Uid, gid: u32, name: UserName, home: String, shell: String },
    NoSuchUser,
    NoHome { message: String },
    Failed { message: String },
}

pub(crate) fn understand(answer: &[u8]) -> Result<Account, LookupError> {
    match serde_json::from_slice(answer) {
        Ok(Answer::User { uid, gid, name, home, shell }) => Ok(Account { uid, gid, name, home, shell }),
        Ok(Answer::NoSuchUser) => Err(LookupError::NoSuchUser),
        Ok(Answer::NoHome { message }) => Err(LookupError::NoHome(message)),
        Ok(Answer::Failed { message }) => Err(LookupError::Failed(message)),
        Err(_) if answer.is_empty() => Err(LookupError::Failed("the lookup process died".to_owned())),
        Err(error) => Err(LookupError::Failed(format!("the lookup process talks nonsense: {error}"))),
    }
}

/// All that the child process does: asks the database and prints the answer.
pub fn lookup_main(argument: &str) -> ExitCode {
    // Nobody would ever kill one that hangs after usherd has died. One whose usherd died before this line finds out here.
    let _ = set_parent_process_death_signal(Some(Signal::KILL));
    if is_orphan() {
        return ExitCode::FAILURE;
    }
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

/// Whether nobody holds the other end of standard input.
fn is_orphan() -> bool {
    let stdin = io::stdin();
    let mut polled = [PollFd::new(&stdin, PollFlags::empty())];
    let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
    poll(&mut polled, Some(&at_once)).is_ok() && polled.iter().any(|fd| fd.revents().contains(PollFlags::HUP))
}

fn consult(query: &Query) -> Answer {
    use nix::unistd::User;
    let found = match query {
        Query::ByUid(uid) => User::from_uid(uid.get().into()),
        Query::ByName { name, .. } => User::from_name(name.as_str()),
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
    if let Query::ByName { home: true, .. } = query
        && let Err(message) = home::check(&user.dir, uid)
    {
        return Answer::NoHome { message };
    }
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
        let named = |name: &str, home| consult(&Query::ByName { name: name.parse().unwrap(), home });
        let by_name = named("root", true);
        assert!(matches!(by_name, Answer::User { uid: Uid::ROOT, .. }));
        assert_eq!(consult(&Query::ByUid(3_999_999_999.try_into().unwrap())), Answer::NoSuchUser);
        assert_eq!(named("no-such-user-here", true), Answer::NoSuchUser);
    }

    #[test]
    fn queries_survive_the_command_line() {
        let name: UserName = "we ird@x".parse().unwrap();
        let by_name = |home| Query::ByName { name: name.clone(), home };
        for query in [Query::ByUid(Uid::ROOT), by_name(false), by_name(true)] {
            assert_eq!(Query::from_argument(&query.to_argument()), Some(query));
        }
        for bad in ["", "uid:", "uid:-1", "name:../x", "root"] {
            assert_eq!(Query::from_argument(bad), None, "{bad}");
        }
    }

    fn ask(query: &Query, script: &str) -> Result<Account, LookupError> {
        block_on(async { Helper::running(shell(script), query).unwrap().answer().await })
    }

    #[test]
    fn answers_come_back() {
        let root = Query::ByUid(Uid::ROOT);
        let answer = |uid| {
            format!(r#"echo '{{"answer":"user","uid":{uid},"gid":2,"name":"a","home":"/h","shell":"/s"}}'"#)
        };
        assert_eq!(ask(&root, &answer(0)).unwrap().home, "/h");
        assert!(
            matches!(ask(&root, &answer(1)), Err(LookupError::Failed(_))),
            "an answer to another question"
        );
        assert!(matches!(understand(br#"{"answer":"no-such-user"}"#), Err(LookupError::NoSuchUser)));
        assert!(matches!(
            understand(br#"{"answer":"no-home","message":"gone"}"#),
            Err(LookupError::NoHome(_))
        ));
    }

    #[test]
    fn nonsense_is_a_failure() {
        assert!(
            matches!(ask(&Query::ByUid(Uid::ROOT), "yes"), Err(LookupError::Failed(_))),
            "and has an end"
        );
        let long = vec![b' '; ANSWER_LIMIT + 1];
        for answer in [&long[..], b"", br#"{"answer":"user","uid":4294967295}"#, b"\xff"] {
            assert!(matches!(understand(answer), Err(LookupError::Failed(_))));
        }
    }

    #[test]
    fn a_hung_child_is_given_up_asked_again_and_killed() {
        block_on(async {
            let mut helper = Helper::running(shell("exec sleep 1000"), &Query::ByUid(Uid::ROOT)).unwrap();
            for _ in 0..2 {
                let given_up = tokio::time::timeout(Duration::from_millis(20), helper.answer()).await;
                assert!(given_up.is_err() && !helper.is_gone() && !helper.is_killed());
            }
            helper.end().await;
            assert!(helper.is_gone() && helper.is_killed());
        });
    }

    #[test]
    fn system_users_end_where_login_defs_says() {
        assert_eq!(parse_system_uid_max(""), 999);
        assert_eq!(parse_system_uid_max("#SYS_UID_MAX 5\nSYS_UID_MAX\t\t 499\n"), 499);
        assert_eq!(parse_system_uid_max("SYS_UID_MAX many\nSYS_GID_MAX 3\n"), 999);
    }
}
