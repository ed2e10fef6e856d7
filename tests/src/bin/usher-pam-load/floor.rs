//! The kernel's share: what a login and a logout ask of it, done bare by one process, with nothing in between.
//!
//! A login: one round trip on a unix socket (connect, request with a descriptor, reply, close), one `mkdir` and one
//! write to `cgroup.procs`, two files of the real ones' sizes replaced by rename. A logout: a round trip, the process
//! moved back, `rmdir`, one file replaced and one removed. A first login: a tmpfs made, mounted and unmounted, too.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::waitpid;
use nix::unistd::Pid;
use serde::Serialize;

use crate::login::nanos;
use crate::{logins, raw};

/// Bytes of the messages and files of a login, as seen with strace(1).
const OPEN_REQUEST: usize = 260;
const OPEN_REPLY: usize = 215;
const CLOSE_REQUEST: usize = 75;
const CLOSE_REPLY: usize = 18;
const SESSION_FILE: usize = 420;
const USER_FILE: usize = 420;

const DIRECTORY: &str = "/run/usher-floor";
const CGROUP: &str = "/sys/fs/cgroup/usher-floor.slice";
const RCU_EXPEDITED: &str = "/sys/kernel/rcu_expedited";

/// What to do.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// How often
    #[arg(long)]
    count: usize,
    /// Milliseconds of rest before each login and before each logout
    #[arg(long, default_value_t = 0)]
    rest: u64,
    /// Tell the kernel to hurry at each move to another cgroup, as usherd does with ExpediteRCU=yes
    #[arg(long)]
    expedite: bool,
}

#[derive(Debug, Default, Serialize)]
struct Times {
    open_ns: Vec<u64>,
    close_ns: Vec<u64>,
    round_trip_ns: Vec<u64>,
    enter_cgroup_ns: Vec<u64>,
    two_files_ns: Vec<u64>,
    leave_cgroup_ns: Vec<u64>,
    tmpfs_ns: Vec<u64>,
}

/// Measures it.
pub(crate) fn measure(options: &Options) -> Result<()> {
    let place = Place::make(options.expedite)?;
    let mut times = Times::default();
    for number in 0..options.count {
        place.login_and_out(number, Duration::from_millis(options.rest), &mut times)?;
    }
    for _ in 0..options.count.min(50) {
        let start = Instant::now();
        place.mount_and_unmount()?;
        times.tmpfs_ns.push(nanos(start.elapsed()));
    }
    logins::print(&times)
}

/// Where it is done; gone when dropped.
struct Place {
    echo: Pid,
    socket: PathBuf,
    expedite: bool,
}

impl Place {
    fn make(expedite: bool) -> Result<Self> {
        fs::create_dir_all(DIRECTORY).with_context(|| format!("make {DIRECTORY}"))?;
        fs::create_dir_all(CGROUP).with_context(|| format!("make {CGROUP}"))?;
        let socket = Path::new(DIRECTORY).join("echo");
        let listener = UnixListener::bind(&socket).with_context(|| format!("bind {}", socket.display()))?;
        let echo = raw::child(|| answer(&listener))?;
        Ok(Self { echo, socket, expedite })
    }

    fn login_and_out(&self, number: usize, rest: Duration, times: &mut Times) -> Result<()> {
        let (released, release) = std::io::pipe().context("make a pipe")?;
        // Somebody to be moved about: lives until the pipe's end.
        let leader = raw::child(|| {
            let _ = nix::unistd::close(std::os::fd::AsRawFd::as_raw_fd(&release));
            let _ = (&released).read(&mut [0]);
        })?;
        let scope = Path::new(CGROUP).join(format!("session-{number}.scope"));
        let back = fs::read_to_string("/proc/self/cgroup").context("read /proc/self/cgroup")?;
        let back = back.lines().find_map(|line| line.strip_prefix("0::")).context("no cgroup2 line")?;
        let back = Path::new("/sys/fs/cgroup").join(back.trim_start_matches('/'));

        std::thread::sleep(rest);
        let mut clock = Clock::start();
        self.round_trip(OPEN_REQUEST, OPEN_REPLY)?;
        clock.lap(&mut times.round_trip_ns);
        fs::create_dir(&scope).with_context(|| format!("make {}", scope.display()))?;
        self.attach(&scope, leader)?;
        clock.lap(&mut times.enter_cgroup_ns);
        replace("session", SESSION_FILE)?;
        replace("user", USER_FILE)?;
        clock.lap(&mut times.two_files_ns);
        times.open_ns.push(clock.total());

        std::thread::sleep(rest);
        let mut clock = Clock::start();
        self.round_trip(CLOSE_REQUEST, CLOSE_REPLY)?;
        let mut after = Clock::start();
        self.attach(&back, leader)?;
        fs::remove_dir(&scope).with_context(|| format!("remove {}", scope.display()))?;
        after.lap(&mut times.leave_cgroup_ns);
        replace("user", USER_FILE)?;
        fs::remove_file(Path::new(DIRECTORY).join("session")).context("remove a file")?;
        times.close_ns.push(clock.total());

        drop(release);
        waitpid(leader, None).context("wait for the process that was moved")?;
        Ok(())
    }

    fn attach(&self, cgroup: &Path, pid: Pid) -> Result<()> {
        if !self.expedite {
            return attach(cgroup, pid);
        }
        let switch = |to| fs::write(RCU_EXPEDITED, to).with_context(|| format!("write to {RCU_EXPEDITED}"));
        switch("1")?;
        let moved = attach(cgroup, pid);
        switch("0").and(moved)
    }

    /// The first number of the request says how long the reply is to be.
    fn round_trip(&self, request: usize, reply: usize) -> Result<()> {
        let talk = || {
            let mut stream = UnixStream::connect(&self.socket)?;
            let mut bytes = vec![b'x'; request];
            bytes[..4].copy_from_slice(&u32::try_from(reply).unwrap_or(1).to_ne_bytes());
            stream.write_all(&bytes)?;
            stream.read_exact(&mut vec![0; reply])
        };
        talk().context("talk to the echo process")
    }

    fn mount_and_unmount(&self) -> Result<()> {
        let target = Path::new(DIRECTORY).join("mount");
        fs::create_dir(&target).with_context(|| format!("make {}", target.display()))?;
        let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
        mount(Some("tmpfs"), &target, Some("tmpfs"), flags, Some("mode=0700")).context("mount a tmpfs")?;
        umount2(&target, MntFlags::MNT_DETACH).context("unmount it")?;
        fs::remove_dir(&target).with_context(|| format!("remove {}", target.display()))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = kill(self.echo, Signal::SIGKILL);
        let _ = waitpid(self.echo, None);
        let _ = fs::remove_dir_all(DIRECTORY);
        let _ = fs::remove_dir(CGROUP);
    }
}

/// Answers for ever; ends by signal.
fn answer(listener: &UnixListener) {
    let mut buffer = vec![0; 4096];
    while let Ok((mut stream, _)) = listener.accept() {
        let Ok(length @ 4..) = stream.read(&mut buffer) else { continue };
        debug_assert!(length < buffer.len());
        let reply = u32::from_ne_bytes([buffer[0], buffer[1], buffer[2], buffer[3]]);
        let _ = stream.write_all(&vec![b'y'; usize::try_from(reply).unwrap_or(0)]);
    }
}

fn attach(cgroup: &Path, pid: Pid) -> Result<()> {
    let file = cgroup.join("cgroup.procs");
    fs::write(&file, pid.to_string()).with_context(|| format!("write to {}", file.display()))
}

fn replace(name: &str, size: usize) -> Result<()> {
    let target = Path::new(DIRECTORY).join(name);
    let fresh = target.with_extension("new");
    fs::write(&fresh, vec![b'z'; size])
        .and_then(|()| fs::rename(&fresh, &target))
        .with_context(|| format!("replace {}", target.display()))
}

struct Clock {
    start: Instant,
    last: Instant,
}

impl Clock {
    fn start() -> Self {
        let now = Instant::now();
        Self { start: now, last: now }
    }

    fn lap(&mut self, times: &mut Vec<u64>) {
        let now = Instant::now();
        times.push(nanos(now - self.last));
        self.last = now;
    }

    fn total(&mut self) -> u64 {
        nanos(self.start.elapsed())
    }
}
