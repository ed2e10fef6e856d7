//! Many logins, so many at a time.

use std::collections::HashSet;
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use nix::fcntl::OFlag;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use serde::Serialize;
use usher_tests::load::{Ending, Expect, Outcome};

use crate::login::{self, Step, nanos};
use crate::raw;
use crate::running::{Running, children_time};

/// More than any login takes: its module gives up before.
const PATIENCE: Duration = Duration::from_secs(60);

/// What to do.
#[derive(Debug, clap::Args)]
pub(crate) struct Load {
    /// The PAM service
    #[arg(long)]
    pub(crate) service: String,
    /// The users, in turn
    #[arg(long, value_delimiter = ',', required = true)]
    users: Vec<String>,
    /// How many logins
    #[arg(long)]
    count: usize,
    /// How many at a time
    #[arg(long, default_value_t = 1)]
    at_once: usize,
    /// Milliseconds of rest before each login and before each logout
    #[arg(long, default_value_t = 0)]
    pub(crate) rest: u64,
    /// Seconds after which no login is begun and those under way are killed; 0 is never
    #[arg(long, default_value_t = 0)]
    limit: u64,
    /// How they end
    #[arg(long, value_enum, default_value_t = Ending::Close)]
    pub(crate) ending: Ending,
    /// What they come to, if all is well
    #[arg(long, value_enum, default_value_t = Expect::Session)]
    pub(crate) expect: Expect,
}

impl Load {
    fn deadline(&self, start: Instant) -> Option<Instant> {
        (self.limit > 0).then(|| start + Duration::from_secs(self.limit))
    }

    fn is_over(&self, start: Instant) -> bool {
        self.deadline(start).is_some_and(|deadline| Instant::now() >= deadline)
    }
}

/// Logins that end at once.
pub(crate) fn cycles(load: &Load) -> Result<()> {
    let mut reports = Reports::new()?;
    let mut running = Running::default();
    let before = children_time()?;
    let start = Instant::now();
    let mut started = 0;
    while started < load.count || !running.is_empty() {
        while started < load.count && running.len() < load.at_once.max(1) {
            std::thread::sleep(Duration::from_millis(load.rest));
            running.add(start_login(load, started, &reports.writer, None)?)?;
            started += 1;
        }
        let Some(status) = running.wait_one(load.deadline(start))? else { break };
        reports.died(status);
        reports.take()?;
    }
    reports.outcome.wall_ns = nanos(start.elapsed());
    if load.is_over(start) {
        running.kill_all();
        reports.take()?;
        reports.outcome.unfinished = load.count.saturating_sub(reports.ended());
    } else {
        reports.check(load.count)?;
    }
    reports.outcome.client_ns = nanos(children_time()?.saturating_sub(before));
    print(&reports.outcome)
}

/// Logins that stay.
pub(crate) fn hold(load: &Load) -> Result<()> {
    let mut reports = Reports::new()?;
    let (released, release) = std::io::pipe().context("make a pipe")?;
    let start = Instant::now();
    let mut started = 0;
    while reports.begun() < load.count && !load.is_over(start) {
        while started < load.count && started - reports.begun() < load.at_once.max(1) {
            let (report, keep) = (&reports.writer, release.as_fd());
            let pid = start_login(load, started, report, Some((&released, keep)))?;
            reports.live.insert(pid);
            started += 1;
        }
        reports.wait(load.deadline(start))?;
    }
    reports.outcome.wall_ns = nanos(start.elapsed());
    reports.outcome.unfinished = load.count.saturating_sub(reports.begun());
    if reports.outcome.unfinished > 0 {
        // Those who wait for an answer would otherwise hold what nobody counts.
        let open: HashSet<u32> = reports.outcome.sessions.iter().map(|session| session.leader).collect();
        reports.kill(|pid| !open.contains(&pid.as_raw().cast_unsigned()));
    }
    print(&reports.outcome)?;

    std::io::stdin().read_to_end(&mut Vec::new()).context("wait for the end of standard input")?;
    let before = std::mem::take(&mut reports.outcome);
    let start = Instant::now();
    drop(release);
    let over = before.failures.len() + before.denied_ns.len() + before.unfinished;
    let expected = load.count.saturating_sub(over);
    while reports.ended() < expected && !load.is_over(start) {
        reports.wait(load.deadline(start))?;
    }
    reports.outcome.wall_ns = nanos(start.elapsed());
    reports.outcome.unfinished = expected.saturating_sub(reports.ended());
    if reports.outcome.unfinished > 0 {
        reports.kill(|_| true);
    }
    while let Ok(status) = waitpid(None, None) {
        reports.died(status);
    }
    print(&reports.outcome)
}

type Hold<'a> = (&'a std::io::PipeReader, std::os::fd::BorrowedFd<'a>);

fn start_login(load: &Load, number: usize, report: &File, hold: Option<Hold<'_>>) -> Result<Pid> {
    let user = load.users.get(number % load.users.len()).context("no user is named")?;
    raw::child(|| {
        if let Some((_, writer)) = hold {
            // The copy of this process, or the pipe would never end.
            let _ = nix::unistd::close(std::os::fd::AsRawFd::as_raw_fd(&writer));
        }
        login::run(load, number, user, report, hold.map(|(reader, _)| reader));
    })
}

/// What the logins report.
struct Reports {
    writer: File,
    reader: File,
    /// Not a whole line yet.
    rest: Vec<u8>,
    /// Logins that are held or under way.
    live: HashSet<Pid>,
    /// Some of them were killed.
    killed: bool,
    outcome: Outcome,
}

impl Reports {
    fn new() -> Result<Self> {
        let (reader, writer) = nix::unistd::pipe2(OFlag::O_CLOEXEC).context("make a pipe")?;
        nix::fcntl::fcntl(&reader, nix::fcntl::FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).context("fcntl")?;
        let file = |fd: OwnedFd| File::from(fd);
        let (writer, reader) = (file(writer), file(reader));
        let (rest, live, outcome) = Default::default();
        Ok(Self { writer, reader, rest, live, killed: false, outcome })
    }

    /// How many have come to something.
    fn begun(&self) -> usize {
        self.outcome.logins() + self.outcome.failures.len()
    }

    /// How many are over.
    fn ended(&self) -> usize {
        let Outcome { close_ns, denied_ns, died, failures, .. } = &self.outcome;
        close_ns.len() + denied_ns.len() + died + failures.len()
    }

    /// Waits until there is something to take, and takes it; at the deadline that is nothing.
    fn wait(&mut self, end: Option<Instant>) -> Result<()> {
        let deadline = end.unwrap_or(Instant::now() + PATIENCE);
        loop {
            let mut fds = [PollFd::new(self.reader.as_fd(), PollFlags::POLLIN)];
            let ready = poll(&mut fds, PollTimeout::from(100_u16)).context("wait for logins")?;
            while let Ok(status) = waitpid(None, Some(WaitPidFlag::WNOHANG)) {
                if status == WaitStatus::StillAlive {
                    break;
                }
                self.died(status);
            }
            if ready > 0 {
                return self.take();
            }
            if Instant::now() >= deadline {
                ensure!(end.is_some(), "no login made any progress for {PATIENCE:?}");
                return Ok(());
            }
        }
    }

    /// Kills those of the logins; that they end so is no failure of theirs.
    fn kill(&mut self, which: impl Fn(Pid) -> bool) {
        self.killed = true;
        for pid in self.live.iter().filter(|pid| which(**pid)) {
            let _ = kill(*pid, Signal::SIGKILL);
        }
    }

    fn died(&mut self, status: WaitStatus) {
        if let Some(pid) = status.pid() {
            self.live.remove(&pid);
        }
        let expected = match status {
            WaitStatus::Exited(_, 0) => true,
            WaitStatus::Signaled(_, Signal::SIGKILL, _) => self.killed,
            _ => false,
        };
        if !expected {
            self.outcome.failures.push(format!("the login's process ended: {status:?}"));
        }
    }

    /// Takes every line that has come.
    fn take(&mut self) -> Result<()> {
        match self.reader.read_to_end(&mut self.rest) {
            Err(error) if error.kind() != std::io::ErrorKind::WouldBlock => bail!("read reports: {error}"),
            _ => {}
        }
        let whole = self.rest.iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
        for line in self.rest.drain(..whole).collect::<Vec<_>>().split(|&byte| byte == b'\n') {
            if line.is_empty() {
                continue;
            }
            match serde_json::from_slice(line).context("understand a login's report")? {
                Step::Opened(time, session) => {
                    self.outcome.open_ns.push(time);
                    self.outcome.sessions.push(session);
                }
                Step::Alone(time) => self.outcome.alone_ns.push(time),
                Step::Denied(time) => self.outcome.denied_ns.push(time),
                Step::Closed(time) => self.outcome.close_ns.push(time),
                Step::Died => self.outcome.died += 1,
                Step::Failed(why) => self.outcome.failures.push(why),
            }
        }
        Ok(())
    }

    /// A login that reported nothing has failed, too.
    fn check(&mut self, expected: usize) -> Result<()> {
        let heard = self.ended();
        ensure!(heard >= expected, "{} logins ended without a word", expected - heard);
        Ok(())
    }
}

pub(crate) fn print<T: Serialize>(value: &T) -> Result<()> {
    let mut line = serde_json::to_vec(value).context("write JSON")?;
    line.push(b'\n');
    let mut out = std::io::stdout();
    out.write_all(&line).and_then(|()| out.flush()).context("write to standard output")
}
