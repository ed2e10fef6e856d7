//! Processes by pidfd: who they are, whether they still are, signalling them; and what /proc says about them.

use std::iter;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::process::{Pid, PidfdFlags};
use usher_protocol::ids::{LeaderPid, VtNr};

use super::{Context, Result, SysError, proc, raw};

/// A pidfd for the process that has this number now.
///
/// # Errors
/// [`SysError::is_gone`] if there is no such process.
pub fn open(pid: u32) -> Result<OwnedFd> {
    let raw = i32::try_from(pid).ok().and_then(Pid::from_raw).ok_or(rustix::io::Errno::SRCH);
    raw.and_then(|pid| rustix::process::pidfd_open(pid, PidfdFlags::empty())).context("open process", pid)
}

/// The process that has this number now, by the name that stays true.
///
/// # Errors
/// [`SysError::is_gone`] if there is no such process; out of descriptors.
pub fn leader_of(pid: u32) -> Result<LeaderPid> {
    identify(pid, open(pid)?)
}

/// The process of a pidfd, which has this number.
///
/// # Errors
/// Before Linux 6.9, and if it has been reaped: [`SysError::is_gone`].
pub fn identify(pid: u32, fd: impl AsFd) -> Result<LeaderPid> {
    match inode_of(fd) {
        Some(inode) => Ok(LeaderPid::by_inode(pid, inode)),
        None => Ok(LeaderPid { pid, start: stat(pid)?.start }),
    }
}

/// A pidfd for exactly this process, and its name: a file may have an older one than this kernel permits. `None` if it is
/// gone, whoever has its number now.
///
/// # Errors
/// Out of descriptors or memory, which says nothing about the process.
pub fn alive(leader: LeaderPid) -> Result<Option<(OwnedFd, LeaderPid)>> {
    let look = || {
        let fd = open(leader.pid)?;
        let now = identify(leader.pid, &fd)?;
        // Read after the pidfd was opened: if the start time is right now, the pidfd is of that process, too.
        let same = now == leader || leader.inode().is_none() && stat(leader.pid)?.start == leader.start;
        Ok((same && !has_exited(&fd)).then_some((fd, now)))
    };
    look().or_else(|error: SysError| {
        use rustix::io::Errno;
        match Errno::from_io_error(&error.source) {
            Some(Errno::MFILE | Errno::NFILE | Errno::NOMEM) => Err(error),
            _ => Ok(None),
        }
    })
}

/// A process that has no number in this pid namespace, by its pidfd: as long as it is held, and only in this boot.
pub fn hidden(fd: impl AsFd) -> LeaderPid {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let inode = inode_of(fd).map(|inode| LeaderPid::by_inode(0, inode));
    inode.unwrap_or_else(|| LeaderPid { pid: 0, start: NEXT.fetch_add(1, Ordering::Relaxed) })
}

/// The number of a pidfd's inode, which no other process has in this boot. `None` before Linux 6.9, where all pidfds have
/// one inode, and of what is no pidfd.
pub fn inode_of(fd: impl AsFd) -> Option<u64> {
    /// The device of the file system that all pidfds are in, as soon as one of them was seen.
    static PIDFS: OnceLock<u64> = OnceLock::new();
    /// `PID_FS_MAGIC`, linux/magic.h.
    const MAGIC: u32 = 0x5049_4446;
    let fd = fd.as_fd();
    let status = rustix::fs::fstat(fd).ok()?;
    let is_pidfd = match PIDFS.get() {
        Some(device) => *device == status.st_dev,
        // The type's width differs between architectures.
        None => rustix::fs::fstatfs(fd).is_ok_and(|fs| fs.f_type as u32 == MAGIC),
    };
    is_pidfd.then(|| {
        PIDFS.get_or_init(|| status.st_dev);
        status.st_ino
    })
}

/// Whether a process calls all others by the same numbers as usherd does.
pub fn shares_pid_namespace(pid: u32) -> bool {
    let namespace = |pid: &str| std::fs::read_link(format!("/proc/{pid}/ns/pid")).ok();
    let own = namespace("self");
    own.is_some() && own == namespace(&pid.to_string())
}

/// Sends a signal by number, 1 to 64.
///
/// # Errors
/// [`SysError::is_gone`] if the process is gone; a number that is no signal.
pub fn signal(fd: impl AsFd, number: i32) -> Result<()> {
    let signal = raw::signal(number).ok_or(rustix::io::Errno::INVAL);
    signal.and_then(|signal| rustix::process::pidfd_send_signal(fd, signal)).context("send signal", number)
}

/// The number of the process that a pidfd is for, in this pid namespace. `None` if it has been reaped or is not to be
/// seen from here.
///
/// # Errors
/// The descriptor is no pidfd.
pub fn pid_of(fd: impl AsFd) -> Result<Option<u32>> {
    let path = format!("/proc/self/fdinfo/{}", fd.as_fd().as_raw_fd());
    let text = proc::read(&path).context("read", &path)?;
    let pid = String::from_utf8_lossy(&text);
    let pid = pid.lines().find_map(|line| line.strip_prefix("Pid:"));
    let pid = pid.ok_or_else(|| SysError::other("use as pidfd", &path, "it is something else"))?;
    Ok(pid.trim().parse().ok().filter(|&pid| pid > 0))
}

/// Whether the process has exited: its pidfd is readable then, pidfd_open(2).
pub fn has_exited(fd: impl AsFd) -> bool {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    let mut fds = [PollFd::new(&fd, PollFlags::IN)];
    // A signal to usherd is no news of the process. What cannot be asked otherwise is not there any more.
    rustix::io::retry_on_intr(|| poll(&mut fds, Some(&now))).map_or(true, |ready| ready > 0)
}

/// The virtual terminal that the process of a pidfd, which has this number, is controlled by. `None` if its controlling terminal
/// is none, or the process has exited.
pub fn vt_of(pid: u32, fd: impl AsFd) -> Option<VtNr> {
    let stat = stat(pid).ok()?;
    // Looked at last: as it lives, its number was not somebody else's when /proc was read.
    stat.vt().filter(|_| !has_exited(fd))
}

/// The process's ancestors, the parent first, PID 1 last. Ends where a process has gone meanwhile.
pub fn parents(pid: u32) -> impl Iterator<Item = LeaderPid> {
    /// No real process sits as deep as this; a chain that does is changing while it is being read.
    const LIMIT: usize = 1024;
    let parent = |pid: u32| stat(pid).ok().map(|stat| stat.parent).filter(|&parent| parent > 0);
    iter::successors(parent(pid), move |&pid| parent(pid)).take(LIMIT).map_while(|pid| leader_of(pid).ok())
}

/// Since when a process runs: CLOCK_REALTIME, in microseconds, as exact as a tick of the kernel's.
pub fn running_since(pid: u32) -> Option<u64> {
    let start = stat(pid).ok()?.start;
    let ticks = rustix::param::clock_ticks_per_second().max(1);
    // proc_pid_stat(5): ticks since boot, time in suspend included.
    let started = u64::try_from(u128::from(start) * 1_000_000 / u128::from(ticks)).ok()?;
    let age = super::clock::since_boot().saturating_sub(started);
    Some(super::clock::now().realtime.saturating_sub(age))
}

/// The audit session that the process belongs to, if any.
pub fn audit_session(pid: u32) -> Option<u32> {
    let text = proc::read(&format!("/proc/{pid}/sessionid")).ok()?;
    std::str::from_utf8(&text).ok()?.trim().parse().ok().filter(|&id| id != u32::MAX)
}

/// What is wanted of /proc/PID/stat (proc_pid_stat(5)).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stat {
    parent: u32,
    tty: u32,
    start: u64,
}

impl Stat {
    pub(crate) fn vt(&self) -> Option<VtNr> {
        // The kernel's encoding of device numbers in 32 bits: 12 bits of major amid 20 of minor.
        let (major, minor) = (self.tty >> 8 & 0xfff, self.tty & 0xff | self.tty >> 12 & 0xf_ff00);
        if major == 4 { VtNr::try_from(minor).ok() } else { None }
    }
}

fn stat(pid: u32) -> Result<Stat> {
    let path = format!("/proc/{pid}/stat");
    let text = proc::read(&path).context("read", &path)?;
    parse_stat(&text).ok_or_else(|| SysError::other("understand", &path, "unknown format"))
}

/// The command name stands in parentheses and may hold anything, parentheses and line ends included; it ends at the
/// last closing one.
pub(crate) fn parse_stat(text: &[u8]) -> Option<Stat> {
    let end = text.iter().rposition(|&b| b == b')')?;
    let rest = std::str::from_utf8(text.get(end + 1..)?).ok()?;
    let mut fields = rest.split_ascii_whitespace();
    // Counted from 0 after the name: 0 is field 3 of the manual page.
    let parent = fields.nth(1)?.parse().ok()?;
    let tty: i32 = fields.nth(2)?.parse().ok()?;
    let start = fields.nth(14)?.parse().ok()?;
    Some(Stat { parent, tty: tty.cast_unsigned(), start })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rustix::event::{PollFd, PollFlags, poll};
    use std::fs;
    use std::process::{Child, Command, Stdio, id};
    use std::sync::atomic::AtomicBool;

    fn sleeper() -> Child {
        Command::new("sleep").arg("1000").stdin(Stdio::null()).spawn().unwrap()
    }

    #[test]
    fn a_process_is_known_until_it_is_gone() {
        let mut child = sleeper();
        let leader = leader_of(child.id()).unwrap();
        let (fd, same) = alive(leader).unwrap().unwrap();
        assert_eq!(same, leader);
        assert_eq!(pid_of(&fd).unwrap(), Some(child.id()));
        assert!(
            alive(LeaderPid { start: leader.start + 1, ..leader }).unwrap().is_none(),
            "another name, another process"
        );
        let older = LeaderPid { start: stat(leader.pid).unwrap().start, ..leader };
        assert_eq!(alive(older).unwrap().unwrap().1, leader, "known by its start time");
        assert!(alive(LeaderPid { start: older.start + 1, ..leader }).unwrap().is_none(), "another start");

        signal(&fd, 15).unwrap();
        poll(&mut [PollFd::new(&fd, PollFlags::IN)], None).unwrap();
        assert!(alive(leader).unwrap().is_none(), "a zombie is not alive");
        child.wait().unwrap();
        assert!(alive(leader).unwrap().is_none());
        assert_eq!(pid_of(&fd).unwrap(), None);
        assert!(signal(&fd, 15).unwrap_err().is_gone());
        assert!(open(leader.pid).unwrap_err().is_gone());
    }

    /// poll(2) ends at a signal with a handler, even if it does not wait.
    #[test]
    fn a_signal_to_usherd_is_no_news_of_a_process() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let _entered = runtime.enter();
        let _handled = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::user_defined1()).unwrap();
        let (this, over) = (nix::sys::pthread::pthread_self(), AtomicBool::new(false));
        let own = open(id()).unwrap();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    nix::sys::pthread::pthread_kill(this, nix::sys::signal::Signal::SIGUSR1).unwrap();
                }
            });
            let wrong = (0..3000).filter(|_| has_exited(&own)).count();
            over.store(true, Ordering::Relaxed);
            assert_eq!(wrong, 0);
        });
    }

    #[test]
    fn a_process_without_a_number_is_told_from_others_by_its_pidfd() {
        let mut children = [sleeper(), sleeper()];
        let [first, second] = [0, 1].map(|n: usize| hidden(open(children[n].id()).unwrap()));
        assert!(first.is_hidden() && first != second);
        for child in &mut children {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    #[test]
    fn any_signal_can_be_sent_but_no_other_number() {
        let mut child = sleeper();
        let fd = open(child.id()).unwrap();
        for bad in [0, -1, 32, 33, 65, i32::MAX] {
            assert!(signal(&fd, bad).is_err(), "{bad}");
        }
        signal(&fd, 34 + 3).unwrap();
        use std::os::unix::process::ExitStatusExt;
        assert_eq!(child.wait().unwrap().signal(), Some(37));
    }

    #[test]
    fn a_file_is_no_pidfd() {
        assert!(pid_of(fs::File::open("/dev/null").unwrap()).is_err());
    }

    #[test]
    fn ancestors_end_at_pid_1() {
        let mut child = sleeper();
        let chain: Vec<_> = parents(child.id()).map(|parent| parent.pid).collect();
        assert_eq!(chain.first(), Some(&id()));
        assert!(chain.last().is_none_or(|&last| last == 1), "{chain:?}");
        child.kill().unwrap();
        child.wait().unwrap();
    }

    #[test]
    fn numbers_that_are_no_process() {
        for pid in [0, u32::MAX, i32::MAX.cast_unsigned()] {
            assert!(open(pid).unwrap_err().is_gone(), "{pid}");
            assert_eq!(parents(pid).count(), 0);
        }
    }

    #[test]
    fn stat_lines() {
        let rest = "S 7 8 9 1025 11 12 13 14 15 16 17 18 19 20 21 22 23 24 4242 26";
        let expected = Stat { parent: 7, tty: 1025, start: 4242 };
        for comm in ["sh", "a) S 1 2 (b", "((((", ") ) )", "new\nline"] {
            let line = format!("5 ({comm}) {rest}");
            assert_eq!(parse_stat(line.as_bytes()), Some(expected), "{comm}");
        }
        assert_eq!(parse_stat(b"5 (\xff\xfe) S 7"), None);
        assert_eq!(expected.vt().map(VtNr::get), Some(1));
        for (tty, vt) in
            [(0, None), (4 << 8, None), ((4 << 8) | 63, Some(63)), ((4 << 8) | 64, None), (34816, None)]
        {
            assert_eq!(Stat { tty, ..expected }.vt().map(VtNr::get), vt, "{tty}");
        }
    }

    proptest! {
        #[test]
        fn no_stat_is_too_strange(bytes in any::<Vec<u8>>(), line in "[0-9]{1,3} \\(.{0,9}\\)( -?[0-9]{1,20}){0,30}") {
            parse_stat(&bytes);
            parse_stat(line.as_bytes());
        }
    }
}
