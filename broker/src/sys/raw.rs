//! The calls for which there is no safe one. Each does one thing, and says why it is sound.

use std::ffi::CString;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use rustix::process::{Resource, Rlimit, Signal, getrlimit, setrlimit};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// A signal by its number: 1 to 64 without those that the C library keeps for itself.
pub(super) fn signal(number: i32) -> Option<Signal> {
    if let Some(named) = Signal::from_named_raw(number) {
        return Some(named);
    }
    if (34..=64).contains(&number) {
        // SAFETY: from_raw_unchecked wants a signal number that exists and that the C library does not use itself:
        // glibc and musl take 32 to 34 at most for their own threads (musl's 34 is SIGSYNCCALL), and rustix's
        // concern is handlers and masks of this process, while this value is only ever sent to another.
        return Some(unsafe { Signal::from_raw_unchecked(number) });
    }
    None
}

/// Makes a descriptor known to the runtime, for as long as the result lives.
pub(super) fn register(fd: OwnedFd, interest: Interest) -> io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: register_with_interest wants a descriptor that stays open and the same for as long as the AsyncFd has it:
    // an OwnedFd is open until it is dropped, and nobody but the AsyncFd has this one.
    Ok(unsafe { AsyncFd::register_with_interest(fd, interest) }?)
}

/// Takes a descriptor that this program was started with; programs that it starts do not get it. To be called before
/// anything else opens descriptors, and once for each number.
pub(super) fn inherited(number: i32) -> io::Result<OwnedFd> {
    // SAFETY: F_SETFD takes its argument by value and touches no memory; a number that is not open is an error.
    if unsafe { libc::fcntl(number, libc::F_SETFD, libc::FD_CLOEXEC) } == -1 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: from_raw_fd wants a descriptor that is open and nobody else's. It is open, as fcntl has found, and as
    // nothing was opened in this process yet, it is one that the process was given.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}

/// Has a program started with a soft limit on open descriptors; the hard limit stays.
pub(super) fn limit_open_files(command: &mut Command, soft: u64) {
    let limit = move || {
        let before = getrlimit(Resource::Nofile);
        let soft = before.maximum.map_or(soft, |hard| soft.min(hard));
        setrlimit(Resource::Nofile, Rlimit { current: Some(soft), ..before }).map_err(io::Error::from)
    };
    // SAFETY: what pre_exec runs between fork and exec has to be async-signal-safe and must not allocate: these are two
    // system calls on memory of this closure, and an error made of a number.
    unsafe {
        command.pre_exec(limit);
    }
}

/// The kinds of SysV IPC objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SysvKind {
    SharedMemory,
    Semaphores,
    MessageQueue,
}

impl SysvKind {
    /// What removing one is called in a message.
    pub(super) const fn operation(self) -> &'static str {
        match self {
            Self::SharedMemory => "remove SysV shared memory",
            Self::Semaphores => "remove SysV semaphores",
            Self::MessageQueue => "remove SysV message queue",
        }
    }
}

/// Removes a SysV IPC object by its number. Gone is gone, whether now or before.
pub(super) fn remove_sysv(kind: SysvKind, id: i32) -> io::Result<()> {
    use std::ptr::null_mut;
    // SAFETY: IPC_RMID reads no memory of ours: shmctl(2), semctl(2) and msgctl(2) ignore the buffer then, and a
    // number that stands for no object is an error of theirs.
    let outcome = unsafe {
        match kind {
            SysvKind::SharedMemory => libc::shmctl(id, libc::IPC_RMID, null_mut()),
            SysvKind::Semaphores => libc::semctl(id, 0, libc::IPC_RMID),
            SysvKind::MessageQueue => libc::msgctl(id, libc::IPC_RMID, null_mut()),
        }
    };
    let error = io::Error::last_os_error();
    match error.raw_os_error() {
        _ if outcome != -1 => Ok(()),
        Some(libc::EINVAL | libc::EIDRM) => Ok(()),
        _ => Err(error),
    }
}

/// Asks for another virtual terminal, console_ioctl(2).
pub(super) fn activate_vt(console: BorrowedFd<'_>, vtnr: u32) -> io::Result<()> {
    /// linux/vt.h
    const VT_ACTIVATE: libc::Ioctl = 0x5606;
    // SAFETY: VT_ACTIVATE takes its argument by value and touches no memory of ours; a descriptor that is no terminal, or a
    // number that is no terminal's, is an error of the kernel's.
    let outcome = unsafe { libc::ioctl(console.as_raw_fd(), VT_ACTIVATE, libc::c_ulong::from(vtnr)) };
    if outcome == -1 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// The id of the cgroup2 cgroup that a pidfd's process is in now, linux/pidfd.h. `None` before Linux 6.13, without cgroups, for
/// one that has been reaped, and for one that this pid namespace does not see.
pub(super) fn cgroup_id(pidfd: BorrowedFd<'_>) -> Option<u64> {
    /// `struct pidfd_info` as it was when there first was one.
    #[repr(C)]
    #[derive(Default)]
    struct PidfdInfo {
        mask: u64,
        cgroup_id: u64,
        ids: [u32; 11],
        exit_code: i32,
    }
    /// `_IOWR(PIDFS_IOCTL_MAGIC, 11, struct pidfd_info)`
    const PIDFD_GET_INFO: libc::Ioctl = libc::_IOWR::<PidfdInfo>(0xff, 11);
    const PIDFD_INFO_CGROUPID: u64 = 1 << 2;
    let mut info = PidfdInfo { mask: PIDFD_INFO_CGROUPID, ..PidfdInfo::default() };
    // SAFETY: PIDFD_GET_INFO reads and writes as many bytes at most as its number says, which is the size of this structure of
    // numbers; what is no pidfd, or a kernel that does not know the call, is an error.
    let outcome = unsafe { libc::ioctl(pidfd.as_raw_fd(), PIDFD_GET_INFO, &raw mut info) };
    (outcome == 0 && info.mask & PIDFD_INFO_CGROUPID != 0).then_some(info.cgroup_id)
}

/// Gives memory that is free back to the system, malloc_trim(3); other C libraries than glibc do that by themselves.
pub(super) fn trim_heap() {
    #[cfg(target_env = "gnu")]
    // SAFETY: malloc_trim(3) is thread-safe, takes a number of bytes to keep free, and touches nothing but memory that the
    // allocator has and nobody uses.
    unsafe {
        libc::malloc_trim(0);
    }
}

/// Has all threads share one heap, and limits what the allocator keeps, mallopt(3): what has at least `large` bytes is mapped by
/// itself, and at most `spare` bytes stay free at the heap's end. Other C libraries than glibc are told nothing.
pub(super) fn set_up_heap(large: i32, spare: i32) {
    #[cfg(target_env = "gnu")]
    // SAFETY: mallopt(3) takes two numbers, is thread-safe, and refuses values that it does not know.
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, 1);
        libc::mallopt(libc::M_MMAP_THRESHOLD, large);
        libc::mallopt(libc::M_TRIM_THRESHOLD, spare);
    }
    #[cfg(not(target_env = "gnu"))]
    let _ = (large, spare);
}

/// Lets go of code that is the same in its file, until it is needed again.
pub(super) fn let_go_of_code() {
    let maps = std::fs::read_to_string("/proc/self/smaps").unwrap_or_default();
    for (start, length) in super::memory::untouched_code(&maps) {
        // SAFETY: MADV_DONTNEED on a private mapping of a file brings back the file's content at the next access, and that
        // is what was there: this process cannot write to the mapping and, as the kernel has just said, has no page of its
        // own in it. The mapping is still the same one: usherd unloads no code. What fails changes nothing.
        unsafe {
            libc::madvise(start as *mut libc::c_void, length, libc::MADV_DONTNEED);
        }
    }
}

/// linux/sched.h; libc's constants are of a type too narrow for them.
const CLONE_CLEAR_SIGHAND: u64 = 1 << 32;
const CLONE_INTO_CGROUP: u64 = 1 << 33;

/// Makes a child process in a cgroup, which executes a program with an empty environment; should that fail, it writes the
/// error number to `failure` and ends. Returns its number and a pidfd.
pub(super) fn clone_and_exec(
    words: &[CString],
    cgroup: BorrowedFd<'_>,
    stdin: BorrowedFd<'_>,
    output: Option<BorrowedFd<'_>>,
    failure: BorrowedFd<'_>,
) -> io::Result<(u32, OwnedFd)> {
    // Everything that the child needs is made before: other threads of this process do not exist in it, and may hold the
    // allocator's lock for ever.
    let argv: Vec<_> = words.iter().map(|word| word.as_ptr()).chain([std::ptr::null()]).collect();
    let envp = [std::ptr::null()];
    let Some(&program) = argv.first().filter(|program| !program.is_null()) else {
        return Err(io::Error::from(io::ErrorKind::InvalidInput));
    };
    let mut pidfd: libc::c_int = -1;
    // SAFETY: clone_args is a structure of numbers, for which zero is a value; zero means "not used", clone(2).
    let mut arguments: libc::clone_args = unsafe { std::mem::zeroed() };
    arguments.flags = CLONE_INTO_CGROUP | CLONE_CLEAR_SIGHAND | libc::CLONE_PIDFD as u64;
    arguments.pidfd = (&raw mut pidfd).addr() as u64;
    arguments.exit_signal = libc::SIGCHLD as u64;
    arguments.cgroup = cgroup.as_raw_fd() as u64;
    // SAFETY: without CLONE_VM and a stack, clone3(2) is fork(2): the child goes on here with a copy of the memory. The
    // kernel writes one c_int, which `pidfd` has room for.
    let pid = unsafe { libc::syscall(libc::SYS_clone3, &raw mut arguments, size_of::<libc::clone_args>()) };
    if pid == 0 {
        // SAFETY: the child, a copy of one thread: only calls that signal-safety(7) permits, until it becomes another
        // program or ends. The strings and arrays are ended by NUL and null and are alive; CLONE_CLEAR_SIGHAND has
        // taken the handlers away.
        unsafe {
            let input = libc::dup2(stdin.as_raw_fd(), libc::STDIN_FILENO) != -1;
            let output = output.is_none_or(|output| {
                libc::dup2(output.as_raw_fd(), libc::STDOUT_FILENO) != -1
                    && libc::dup2(output.as_raw_fd(), libc::STDERR_FILENO) != -1
            });
            if input && output {
                libc::execve(program, argv.as_ptr(), envp.as_ptr());
            }
            let errno = *libc::__errno_location();
            libc::write(failure.as_raw_fd(), (&raw const errno).cast(), size_of::<libc::c_int>());
            libc::_exit(127);
        }
    }
    if pid < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: clone3(2) has succeeded and has put a new descriptor there, which nobody else knows.
    let pidfd = unsafe { OwnedFd::from_raw_fd(pidfd) };
    Ok((u32::try_from(pid).map_err(io::Error::other)?, pidfd))
}
