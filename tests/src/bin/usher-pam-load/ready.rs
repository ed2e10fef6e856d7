//! The bare user manager: from the spawn of its process until it is ready. Whoever runs this has prepared the rest (cgroup,
//! runtime directory, user, and for systemd the mount namespace with /run/systemd/system).

use std::io::{PipeReader, Read};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde::Serialize;
use usher_tests::wait_child;

use crate::login::nanos;
use crate::logins;

/// The kernel is to have forgotten how the prepared process came into its cgroup, as it has when somebody logs in.
const REST: Duration = Duration::from_millis(100);
const PATIENCE: Duration = Duration::from_secs(30);

/// What to start, and how it says that it is ready.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// How it says that it is ready
    #[arg(long, value_enum)]
    readiness: Readiness,
    /// The signal that ends it, such as SIGTERM
    #[arg(long)]
    stop: Signal,
    /// The program and its arguments; %r is the number of the descriptor for `fd`
    #[arg(last = true, required = true, num_args = 1..)]
    program: Vec<String>,
}

/// As `Readiness=` in a definition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Readiness {
    /// READY=1 by sd_notify(3)
    Notify,
    /// A newline on a descriptor
    Fd,
    /// It has been executed
    Immediate,
}

#[derive(Debug, Serialize)]
struct Ready {
    ready_ns: u64,
}

/// Measures once.
pub(crate) fn measure(options: &Options) -> Result<()> {
    let way = Way::make(options.readiness)?;
    let (name, arguments) = options.program.split_first().context("no program is named")?;
    let mut command = Command::new(name);
    command.stdin(Stdio::null()).stdout(Stdio::null());
    let (writer, waits) = match way {
        Way::Socket(socket, path) => {
            command.args(arguments).env("NOTIFY_SOCKET", &path);
            (None, Waits::Socket(socket, path))
        }
        Way::Pipe(reader, writer) => {
            let number = writer.as_raw_fd().to_string();
            command.args(arguments.iter().map(|word| word.replace("%r", &number)));
            // Inherited: this program has no other thread that could start something meanwhile.
            fcntl(&writer, FcntlArg::F_SETFD(FdFlag::empty())).context("hand on the descriptor")?;
            (Some(writer), Waits::Pipe(reader))
        }
        Way::Exec => {
            command.args(arguments);
            (None, Waits::Nothing)
        }
    };
    std::thread::sleep(REST);
    let start = Instant::now();
    // Comes back when the program has been executed, which is as ready as one that says nothing can be.
    let mut child = command.spawn().with_context(|| format!("run {name}"))?;
    drop(writer);
    let result = waits.ready(start);
    let _ = kill(Pid::from_raw(child.id().cast_signed()), options.stop);
    let status = end_of(&mut child).with_context(|| format!("stop {name}"))?;
    if let Waits::Socket(_, path) = &waits {
        std::fs::remove_file(path).with_context(|| format!("remove {}", path.display()))?;
    }
    match result {
        Ok(ready_ns) => logins::print(&Ready { ready_ns }),
        Err(error) => bail!("{error:#}; {name} ended: {status}"),
    }
}

/// How it ended, having been told to.
fn end_of(child: &mut Child) -> Result<ExitStatus> {
    if let Some(status) = wait_child(child, Instant::now() + PATIENCE).context("wait for its end")? {
        return Ok(status);
    }
    child.kill().and_then(|()| child.wait()).context("kill it")?;
    bail!("it was told to end, and had not within {PATIENCE:?}")
}

/// How the program can say it.
enum Way {
    Socket(UnixDatagram, PathBuf),
    Pipe(PipeReader, std::io::PipeWriter),
    Exec,
}

impl Way {
    fn make(readiness: Readiness) -> Result<Self> {
        Ok(match readiness {
            Readiness::Notify => {
                let directory = std::env::var_os("XDG_RUNTIME_DIR").context("XDG_RUNTIME_DIR is not set")?;
                let path = Path::new(&directory).join("bench-notify");
                let socket = UnixDatagram::bind(&path).with_context(|| format!("bind {}", path.display()))?;
                Self::Socket(socket, path)
            }
            Readiness::Fd => {
                let (reader, writer) = std::io::pipe().context("make a pipe")?;
                Self::Pipe(reader, writer)
            }
            Readiness::Immediate => Self::Exec,
        })
    }
}

/// Where its word comes.
enum Waits {
    Socket(UnixDatagram, PathBuf),
    Pipe(PipeReader),
    Nothing,
}

impl Waits {
    /// Nanoseconds from the start until it is ready.
    fn ready(&self, start: Instant) -> Result<u64> {
        match self {
            Self::Socket(socket, _) => ready_by_socket(socket, start),
            Self::Pipe(reader) => ready_by_newline(reader, start),
            Self::Nothing => Ok(nanos(start.elapsed())),
        }
    }
}

fn ready_by_socket(socket: &UnixDatagram, start: Instant) -> Result<u64> {
    let mut buffer = [0; 4096];
    loop {
        let left = PATIENCE.saturating_sub(start.elapsed());
        ensure!(!left.is_zero(), "no READY=1 within {PATIENCE:?}");
        socket.set_read_timeout(Some(left)).context("set a timeout")?;
        let length = socket.recv(&mut buffer).context("wait for READY=1")?;
        if buffer[..length].split(|&byte| byte == b'\n').any(|line| line == b"READY=1") {
            return Ok(nanos(start.elapsed()));
        }
    }
}

fn ready_by_newline(mut reader: &PipeReader, start: Instant) -> Result<u64> {
    let mut buffer = [0; 4096];
    loop {
        let left = PATIENCE.saturating_sub(start.elapsed());
        ensure!(!left.is_zero(), "no newline within {PATIENCE:?}");
        let timeout = PollTimeout::try_from(left).context("understand the timeout")?;
        let mut polled = [PollFd::new(reader.as_fd(), PollFlags::POLLIN)];
        if poll(&mut polled, timeout).context("wait for a newline")? == 0 {
            continue;
        }
        let length = reader.read(&mut buffer).context("read what it says")?;
        ensure!(length > 0, "it has closed the descriptor without a newline");
        // As usherd takes it: dinit ends its word with NUL.
        if buffer[..length].iter().any(|byte| matches!(byte, b'\n' | 0)) {
            return Ok(nanos(start.elapsed()));
        }
    }
}
