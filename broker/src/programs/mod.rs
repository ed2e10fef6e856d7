//! One run of a program that usherd does not trust to end: in a process group of its own, which is killed when its time is
//! over, and when the program has ended, with whatever it has left there.

pub(crate) mod output;

use std::io;
use std::os::fd::OwnedFd;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe::Receiver;

use crate::sys::{self, pidfd};
use output::Lines;

/// More lines than this are not listened to.
const LINES_MAX: usize = 200;
/// How long one that is killed may take to go.
const AFTER_KILL: Duration = Duration::from_secs(2);

/// What came of a run.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// It has ended by itself.
    Ended(ExitStatus),
    /// It was killed when its time was over.
    Killed,
    /// The same, and the kernel holds it.
    Stuck,
}

/// Runs a program with nothing on its standard input; calls with each line of what it says. Its standard streams and its limit on
/// open descriptors are set here.
///
/// # Errors
/// It cannot be started.
pub(crate) async fn run(
    mut command: Command,
    limit: Duration,
    mut each: impl FnMut(String),
) -> io::Result<Outcome> {
    let (reader, writer) = io::pipe()?;
    let mut output = Receiver::from_owned_fd(OwnedFd::from(reader))?;
    command.stdin(Stdio::null()).stdout(writer.try_clone()?).stderr(writer);
    // With it go the writing ends that it holds: the reading one never ends before they do.
    let group = Group::start(command).await?;
    let exit = sys::Readiness::of(&group.fd)?;
    let mut lines = Lines::default();
    let mut count = 0;
    let mut tell = |line| {
        count += 1;
        match count {
            ..=LINES_MAX => each(line),
            _ if count == LINES_MAX + 1 => {
                each(format!("(more than {LINES_MAX} lines: the rest is dropped)"))
            }
            _ => {}
        }
    };
    let talking = async {
        let mut buffer = [0; 4096];
        while let Ok(read @ 1..) = output.read(&mut buffer).await {
            lines.take(buffer.get(..read).unwrap_or_default(), &mut tell);
        }
        std::future::pending::<()>().await;
    };
    let in_time = tokio::select! {
        ended = tokio::time::timeout(limit, exit.wait()) => ended.is_ok(),
        () = talking => false,
    };
    let status = group.end(exit, in_time).await;
    // What it has said last; somebody who has left the group may still hold the other end, and is not waited for.
    let mut buffer = [0; 4096];
    for _ in 0..32 {
        match output.try_read(&mut buffer) {
            Ok(read @ 1..) => lines.take(buffer.get(..read).unwrap_or_default(), &mut tell),
            _ => break,
        }
    }
    lines.rest(&mut tell);
    match status {
        Some(status) if in_time => Ok(Outcome::Ended(status?)),
        Some(_) => Ok(Outcome::Killed),
        None => Ok(Outcome::Stuck),
    }
}

/// A child and its process group. Killed when it is dropped: no run goes on that nobody waits for.
struct Group {
    child: Child,
    fd: OwnedFd,
    over: bool,
}

impl Group {
    /// To fork, and to wait until the child has become the program, takes a millisecond, and on a busy machine many: not in
    /// the loop, where somebody may be waiting for the answer to a login.
    async fn start(command: Command) -> io::Result<Self> {
        tokio::task::spawn_blocking(move || Self::start_now(command)).await.map_err(io::Error::other)?
    }

    fn start_now(mut command: Command) -> io::Result<Self> {
        use std::os::unix::process::CommandExt;
        sys::limits::expected(&mut command);
        let mut child = command.process_group(0).spawn()?;
        match pidfd::open(child.id()) {
            Ok(fd) => Ok(Self { child, fd, over: false }),
            Err(error) => {
                let _ = child.kill();
                let _ = child.wait();
                Err(error.source)
            }
        }
    }

    /// Kills whoever is left in the group, while the child that it is called by has not been reaped and so nobody else has
    /// its number; then reaps that. `None` if it does not go: it is reaped some time.
    async fn end(mut self, exit: sys::Readiness, has_ended: bool) -> Option<io::Result<ExitStatus>> {
        self.kill();
        if has_ended || tokio::time::timeout(AFTER_KILL, exit.wait()).await.is_ok() {
            self.over = true;
            return Some(self.child.wait());
        }
        tokio::spawn(async move {
            if exit.wait().await.is_ok() {
                self.over = true;
                let _ = self.child.wait();
            }
        });
        None
    }

    fn kill(&self) {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        if let Some(pid) = pid {
            let _ = kill_process_group(pid, Signal::KILL);
        }
        // It may have gone to another group.
        let _ = pidfd::signal(&self.fd, Signal::KILL.as_raw());
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if !self.over {
            self.kill();
            let _ = self.child.try_wait();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn shell(script: &str, limit: Duration) -> (Outcome, Vec<String>) {
        let mut said = Vec::new();
        let mut command = Command::new("/bin/sh");
        command.args(["-c", script]).env_clear();
        let outcome = run(command, limit, |line| said.push(line)).await.unwrap();
        (outcome, said)
    }

    const LONG: Duration = Duration::from_secs(30);

    #[tokio::test]
    async fn a_run_has_a_status_and_lines() {
        let (outcome, said) = shell("cat; echo one; echo two >&2; printf three; exit 3", LONG).await;
        assert!(matches!(outcome, Outcome::Ended(status) if status.code() == Some(3)), "{outcome:?}");
        assert_eq!(said, ["one", "two", "three"]);
    }

    #[tokio::test]
    async fn too_many_lines_are_dropped_and_keep_nobody() {
        let (outcome, said) = shell("i=0; while [ $i -lt 20000 ]; do echo $i; i=$((i+1)); done", LONG).await;
        assert!(matches!(outcome, Outcome::Ended(status) if status.success()), "{outcome:?}");
        assert_eq!(said.len(), LINES_MAX + 1);
        assert_eq!(said.last().unwrap(), "(more than 200 lines: the rest is dropped)");
    }

    #[tokio::test]
    async fn what_hangs_is_killed_with_all_that_it_has_started() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("pid");
        let script = format!("sleep 1000 & echo $! > {}; echo started; wait", file.display());
        let (outcome, said) = shell(&script, Duration::from_millis(300)).await;
        assert!(matches!(outcome, Outcome::Killed), "{outcome:?}");
        assert_eq!(said, ["started"]);
        wait_gone(&file).await;
    }

    #[tokio::test]
    async fn what_is_left_goes_with_the_program() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("pid");
        let (outcome, _) = shell(&format!("sleep 1000 & echo $! > {}", file.display()), LONG).await;
        assert!(matches!(outcome, Outcome::Ended(status) if status.success()), "{outcome:?}");
        wait_gone(&file).await;
    }

    /// A process has ended when it is a zombie: who reaps orphans, and when, is not ours.
    async fn wait_gone(file: &std::path::Path) {
        let pid: u32 = std::fs::read_to_string(file).unwrap().trim().parse().unwrap();
        let deadline = std::time::Instant::now() + LONG;
        while pidfd::leader_of(pid).is_ok_and(|leader| pidfd::alive(leader).is_ok_and(|fd| fd.is_some())) {
            assert!(std::time::Instant::now() < deadline, "{pid} is still there");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}
