//! Many logins, so many at a time.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use nix::fcntl::OFlag;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use serde::Serialize;
use usher_tests::load::{Ending, Expect, Outcome};

use crate::login::{self, Step, nanos};
use crate::raw;

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
    /// How they end
    #[arg(long, value_enum, default_value_t = Ending::Close)]
    pub(crate) ending: Ending,
    /// What they come to, if all is well
    #[arg(long, value_enum, default_value_t = Expect::Session)]
    pub(crate) expect: Expect,
}

/// Logins that end at once.
pub(crate) fn cycles(load: &Load) -> Result<()> {
    let mut reports = Reports::new()?;
    let start = Instant::now();
    let (mut started, mut running) = (0, 0);
    while started < load.count || running > 0 {
        while started < load.count && running < load.at_once.max(1) {
            std::thread::sleep(Duration::from_millis(load.rest));
            start_login(load, started, &reports.writer, None)?;
            (started, running) = (started + 1, running + 1);
        }
        reports.died(waitpid(None, None).context("wait for a login")?);
        running -= 1;
        reports.take()?;
    }
    reports.outcome.wall_ns = nanos(start.elapsed());
    reports.check(load.count)?;
    print(&reports.outcome)
}

/// Logins that stay.
pub(crate) fn hold(load: &Load) -> Result<()> {
    let mut reports = Reports::new()?;
    let (released, release) = std::io::pipe().context("make a pipe")?;
    let start = Instant::now();
    let mut started = 0;
    while reports.begun() < load.count {
        while started < load.count && started - reports.begun() < load.at_once.max(1) {
            let (report, keep) = (&reports.writer, release.as_fd());
            start_login(load, started, report, Some((&released, keep)))?;
            started += 1;
        }
        reports.wait()?;
    }
    reports.outcome.wall_ns = nanos(start.elapsed());
    print(&reports.outcome)?;

    std::io::stdin().read_to_end(&mut Vec::new()).context("wait for the end of standard input")?;
    let before = std::mem::take(&mut reports.outcome);
    let start = Instant::now();
    drop(release);
    let expected = load.count - before.failures.len() - before.denied_ns.len();
    while reports.ended() < expected {
        reports.wait()?;
    }
    reports.outcome.wall_ns = nanos(start.elapsed());
    while let Ok(status) = waitpid(None, None) {
        reports.died(status);
    }
    print(&reports.outcome)
}

type Hold<'a> = (&'a std::io::PipeReader, std::os::fd::BorrowedFd<'a>);

fn start_login(load: &Load, number: usize, report: &File, hold: Option<Hold<'_>>) -> Result<()> {
    let user = load.users.get(number % load.users.len()).context("no user is named")?;
    raw::child(|| {
        if let Some((_, writer)) = hold {
            // The copy of this process, or the pipe would never end.
            let _ = nix::unistd::close(std::os::fd::AsRawFd::as_raw_fd(&writer));
        }
        login::run(load, number, user, report, hold.map(|(reader, _)| reader));
    })
    .map(drop)
}

/// What the logins report.
struct Reports {
    writer: File,
    reader: File,
    /// Not a whole line yet.
    rest: Vec<u8>,
    outcome: Outcome,
}

impl Reports {
    fn new() -> Result<Self> {
        let (reader, writer) = nix::unistd::pipe2(OFlag::O_CLOEXEC).context("make a pipe")?;
        nix::fcntl::fcntl(&reader, nix::fcntl::FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).context("fcntl")?;
        let file = |fd: OwnedFd| File::from(fd);
        Ok(Self { writer: file(writer), reader: file(reader), rest: Vec::new(), outcome: Outcome::default() })
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

    /// Waits until there is something to take, and takes it.
    fn wait(&mut self) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
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
            ensure!(Instant::now() < deadline, "no login made any progress for {PATIENCE:?}");
        }
    }

    fn died(&mut self, status: WaitStatus) {
        if !matches!(status, WaitStatus::Exited(_, 0)) {
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
