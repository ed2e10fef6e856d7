//! Logins that race logouts: several lanes of one user, each login a process of its own, at random moments that follow from
//! one number. A login that has come through looks at what it was given, holds on for a moment, and looks again: the same
//! directory (mount and inode), its own file in it, and a manager that was ready, is the same, and answers.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use nix::fcntl::OFlag;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::wait::waitpid;
use rustix::fs::{AtFlags, CWD, StatxFlags, statx};
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use serde::{Deserialize, Serialize};
use usher_pam::Transaction;

use crate::{logins, raw};

/// A manager that does not answer within this is none.
const ANSWER: Duration = Duration::from_secs(10);

/// What to do.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// The PAM service
    #[arg(long)]
    service: String,
    /// The user's name
    #[arg(long)]
    user: String,
    /// The user's number
    #[arg(long)]
    uid: u32,
    /// How many lanes of logins there are
    #[arg(long, default_value_t = 4)]
    lanes: u64,
    /// How many logins each lane has at most
    #[arg(long, default_value_t = u64::MAX)]
    logins: u64,
    /// For how many milliseconds new logins begin
    #[arg(long, default_value_t = u64::MAX)]
    millis: u64,
    /// What all the moments follow from
    #[arg(long)]
    seed: u64,
    /// The longest time in a session, in milliseconds
    #[arg(long, default_value_t = 15)]
    hold: u64,
    /// The longest rest of a lane between two of them, in milliseconds
    #[arg(long, default_value_t = 40)]
    rest: u64,
    /// A socket of the manager's in the runtime directory, where somebody has to listen once the manager is ready
    #[arg(long)]
    socket: Option<PathBuf>,
    /// Whoever listens there has something to say, too
    #[arg(long, requires = "socket")]
    answers: bool,
}

/// What came of one login.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Word {
    /// All was well; the manager that was ready, if one was.
    Well { manager: Option<String> },
    /// Something was not as it should be.
    Failed(String),
}

/// What came of all.
#[derive(Debug, Default, Serialize)]
struct Outcome {
    seed: u64,
    /// Logins that were whole from beginning to end.
    whole: usize,
    /// How many of them had a manager that was ready.
    ready: usize,
    /// How many managers that were.
    managers: usize,
    failures: Vec<String>,
}

/// Runs all lanes to their end, and says what came of it.
pub(crate) fn run(options: &Options) -> Result<()> {
    let (mut reader, writer) =
        nix::unistd::pipe2(OFlag::O_CLOEXEC).map(|(r, w)| (File::from(r), File::from(w))).context("pipe")?;
    let end = Instant::now().checked_add(Duration::from_millis(options.millis));
    for lane in 0..options.lanes {
        raw::child(|| lane_of_logins(options, lane, end, &writer))?;
    }
    drop(writer);
    let mut text = String::new();
    reader.read_to_string(&mut text).context("read what the logins say")?;
    while waitpid(None, None).is_ok() {}
    let mut managers = BTreeSet::new();
    let mut outcome = Outcome { seed: options.seed, ..Outcome::default() };
    for line in text.lines() {
        match serde_json::from_str(line).context("understand what a login says")? {
            Word::Well { manager } => {
                outcome.whole += 1;
                outcome.ready += usize::from(manager.is_some());
                managers.extend(manager);
            }
            Word::Failed(why) => outcome.failures.push(why),
        }
    }
    outcome.managers = managers.len();
    logins::print(&outcome)
}

fn lane_of_logins(options: &Options, lane: u64, end: Option<Instant>, report: &File) {
    let mut random = Random(options.seed.wrapping_add(lane.wrapping_mul(0x9e37_79b9_7f4a_7c15)));
    for number in 0..options.logins {
        if end.is_some_and(|end| Instant::now() >= end) {
            break;
        }
        std::thread::sleep(random.up_to(options.rest));
        let (hold, way_out) = (random.up_to(options.hold), random.next() % 4);
        let login = raw::child(|| {
            let word = match login(options, hold, way_out) {
                Ok(word) => word,
                Err(error) => Word::Failed(format!("lane {lane}, login {number}: {error:#}")),
            };
            tell(report, &word);
        });
        match login.and_then(|pid| waitpid(pid, None).context("wait for a login")) {
            Ok(_) => {}
            Err(error) => tell(report, &Word::Failed(format!("lane {lane}: {error:#}"))),
        }
    }
}

/// One login, from open to close.
fn login(options: &Options, hold: Duration, way_out: u64) -> Result<Word> {
    let mut pam = Transaction::start(&options.service, &options.user)?;
    pam.open_session()?;
    let environment = pam.getenvlist()?;
    let variable = |name: &str| {
        let found = environment.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.to_string_lossy().into_owned()).with_context(|| format!("no {name}"))
    };
    let session = variable("XDG_SESSION_ID")?;
    let directory = PathBuf::from(variable("XDG_RUNTIME_DIR")?);
    let own = directory.join(format!("race-{session}"));
    let at_first = identity(&directory)?;
    fs::write(&own, &session).with_context(|| format!("write {}", own.display()))?;
    let manager = Manager::of(options, &directory)?;

    std::thread::sleep(hold);

    let now = identity(&directory)?;
    ensure!(at_first == now, "session {session}: the directory was {at_first} and is {now}");
    let text = fs::read_to_string(&own).with_context(|| format!("read {}", own.display()))?;
    ensure!(text == session, "session {session}: its file says '{text}'");
    if let Some(manager) = &manager {
        manager.is_still_there(options, &directory).with_context(|| format!("session {session}"))?;
    }
    match way_out {
        // A crash: the leader dies, nobody closes.
        0 => {}
        // Something stays behind for a moment.
        1 => {
            let quiet = || Stdio::null();
            let sleep =
                Command::new("sleep").arg("0.005").stdin(quiet()).stdout(quiet()).stderr(quiet()).spawn();
            sleep.context("leave a process")?;
            pam.close_session()?;
        }
        _ => pam.close_session()?,
    }
    Ok(Word::Well { manager: manager.map(|manager| manager.pid) })
}

/// A manager that was ready when the login came through.
struct Manager {
    pid: String,
    process: OwnedFd,
}

impl Manager {
    /// The user's, if it is ready. The user's file is written before the login is answered.
    fn of(options: &Options, directory: &Path) -> Result<Option<Self>> {
        let file = UserFile::read(options.uid)?;
        ensure!(file.value("STOPPING") == "no", "the user is going while a session is open");
        if file.value("USHER_MANAGER_READY") != "1" {
            return Ok(None);
        }
        let pid = file.value("USHER_MANAGER_PID").to_owned();
        let number = pid.parse().ok().and_then(Pid::from_raw).context("the manager has no number")?;
        let process =
            pidfd_open(number, PidfdFlags::empty()).context("the manager is ready and not there")?;
        let manager = Self { pid, process };
        manager.is_still_there(options, directory)?;
        Ok(Some(manager))
    }

    fn is_still_there(&self, options: &Options, directory: &Path) -> Result<()> {
        let file = UserFile::read(options.uid)?;
        let shown =
            ["USHER_MANAGER_READY", "USHER_MANAGER_PID", "STOPPING"].map(|key| file.value(key).to_owned());
        ensure!(
            shown == ["1", &self.pid, "no"],
            "the manager was {}, and now ready, pid, stopping: {shown:?}",
            self.pid
        );
        ensure!(!is_readable(&self.process, Duration::ZERO)?, "the manager {} has ended", self.pid);
        let Some(socket) = &options.socket else { return Ok(()) };
        let path = directory.join(socket);
        let mut stream =
            UnixStream::connect(&path).with_context(|| format!("connect to {}", path.display()))?;
        if options.answers {
            stream.set_read_timeout(Some(ANSWER)).context("set a timeout")?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer).context("the manager does not answer")?;
            ensure!(answer == "here\n", "the manager answered '{answer}'");
        }
        Ok(())
    }
}

struct UserFile(String);

impl UserFile {
    fn read(uid: u32) -> Result<Self> {
        fs::read_to_string(format!("/run/systemd/users/{uid}")).map(Self).context("the user is unknown")
    }

    fn value(&self, key: &str) -> &str {
        self.0.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('=')).unwrap_or_default()
    }
}

/// What makes a directory the same one.
fn identity(directory: &Path) -> Result<String> {
    let flags = StatxFlags::MNT_ID | StatxFlags::INO;
    let found = statx(CWD, directory, AtFlags::SYMLINK_NOFOLLOW, flags);
    let found = found.with_context(|| format!("examine {}", directory.display()))?;
    let parent = statx(CWD, directory.join(".."), AtFlags::empty(), flags).context("examine its parent")?;
    if parent.stx_mnt_id == found.stx_mnt_id {
        bail!("{} is not mounted any more", directory.display());
    }
    Ok(format!(
        "mount {} device {}:{} inode {}",
        found.stx_mnt_id, found.stx_dev_major, found.stx_dev_minor, found.stx_ino
    ))
}

fn is_readable(fd: &OwnedFd, limit: Duration) -> Result<bool> {
    use std::os::fd::AsFd;
    let mut fds = [PollFd::new(fd.as_fd(), PollFlags::POLLIN)];
    let limit = PollTimeout::try_from(limit).unwrap_or(PollTimeout::MAX);
    Ok(poll(&mut fds, limit).context("poll")? > 0)
}

fn tell(mut report: &File, word: &Word) {
    let mut line = serde_json::to_vec(word).unwrap_or_default();
    line.push(b'\n');
    // Shorter than PIPE_BUF, so that lines do not mix. Without a reader there is nobody to tell.
    let _ = report.write_all(&line);
}

/// A manager for such races: light, and with something to say. Ends when it is told to.
pub(crate) fn light_manager() -> Result<()> {
    let variable = |name: &str| std::env::var_os(name).with_context(|| format!("{name} is not set"));
    let path = Path::new(&variable("XDG_RUNTIME_DIR")?).join("manager");
    // Of one that ran before in the same directory.
    let _ = fs::remove_file(&path);
    let listener = std::os::unix::net::UnixListener::bind(&path).context("listen")?;
    let notify = std::os::unix::net::UnixDatagram::unbound().context("make a socket")?;
    // Not always as fast: its start is to overlap with what others do.
    std::thread::sleep(Duration::from_millis(u64::from(std::process::id() % 8)));
    notify.send_to(b"READY=1", Path::new(&variable("NOTIFY_SOCKET")?)).context("say that it is ready")?;
    for stream in listener.incoming() {
        // Who has hung up needs no answer.
        let _ = stream.and_then(|mut stream| stream.write_all(b"here\n"));
    }
    Ok(())
}

/// SplitMix64: small, and good enough for moments.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn up_to(&mut self, millis: u64) -> Duration {
        Duration::from_micros(self.next() % (millis * 1000 + 1))
    }
}
