//! Runs one command in a machine.
//!
//! Two processes, because a pid namespace is entered only by children: the one *outside* waits for the other and passes on
//! its exit status; the one *inside* moves itself into the machine's cgroup, enters the other namespaces and becomes the
//! command. When the outer one is killed, the command is.

use std::ffi::CString;
use std::fs::{self, File};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail, ensure};
use nix::sched::{CloneFlags, setns};
use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::Signal;
use nix::sys::stat::{Mode, umask};
use nix::unistd::{User, chroot, fchdir, initgroups, setgid, setuid};
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use usher_tests::spec::SANDBOX_DIR;

pub(crate) const OUTSIDE: &str = "enter";
pub(crate) const INSIDE: &str = "entered";

struct Options<'a> {
    /// PID 1 of the machine, in the caller's numbers.
    pid: i32,
    /// The cgroup to join, as the host sees it.
    cgroup: &'a Path,
    /// Become this user: numbers, groups and working directory, without PAM.
    user: Option<&'a str>,
    /// Keep the controlling terminal; without it the command gets a session of its own and knows of no terminal.
    terminal: bool,
    /// Write `PID-INSIDE PID-OUTSIDE` to this file of the machine before becoming the command.
    record: Option<&'a Path>,
    command: &'a [String],
}

impl<'a> Options<'a> {
    fn parse(mut arguments: &'a [String]) -> Result<Self> {
        let (mut pid, mut cgroup, mut user, mut terminal, mut record) = (None, None, None, false, None);
        let command = loop {
            match arguments {
                [end, command @ ..] if end == "--" => break command,
                [flag, rest @ ..] if flag == "--terminal" => {
                    terminal = true;
                    arguments = rest;
                }
                [flag, value, rest @ ..] => {
                    match flag.as_str() {
                        "--pid" => {
                            pid = Some(value.parse().with_context(|| format!("parse the pid {value}"))?)
                        }
                        "--cgroup" => cgroup = Some(Path::new(value)),
                        "--user" => user = Some(value.as_str()),
                        "--record" => record = Some(Path::new(value)),
                        _ => bail!("unknown option {flag}"),
                    }
                    arguments = rest;
                }
                _ => bail!("`--` and a command are missing"),
            }
        };
        let pid = pid.context("--pid is missing")?;
        let cgroup = cgroup.context("--cgroup is missing")?;
        Ok(Self { pid, cgroup, user, terminal, record, command })
    }
}

pub(crate) fn outside(arguments: &[String]) -> Result<ExitCode> {
    let options = Options::parse(arguments)?;
    enter(options.pid, CloneFlags::CLONE_NEWPID)?;
    let mut child = Command::new("/proc/self/exe")
        .arg(INSIDE)
        .args(arguments)
        .spawn()
        .context("start a process in the machine")?;
    let status = child.wait().context("wait for the command in the machine")?;
    // As a shell says it.
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal)).unwrap_or(1);
    Ok(ExitCode::from(u8::try_from(code).unwrap_or(1)))
}

pub(crate) fn inside(arguments: &[String]) -> Result<ExitCode> {
    let options = Options::parse(arguments)?;
    let (name, rest) = options.command.split_first().context("no command given")?;
    set_pdeathsig(Signal::SIGKILL).context("ask to be killed with the parent process")?;
    let outside_pid = fs::read_link("/proc/self").context("read /proc/self")?;
    // Entering a mount namespace leads to its first root, which is not the machine's where the harness is in a chroot.
    let root = format!("/proc/{}/root", options.pid);
    let root = File::open(&root).with_context(|| format!("open {root}"))?;
    crate::cgroup::join(options.cgroup)?;
    // In this process's pid namespace the machine's init has number 1.
    let others = CloneFlags::CLONE_NEWNS
        | CloneFlags::CLONE_NEWCGROUP
        | CloneFlags::CLONE_NEWIPC
        | CloneFlags::CLONE_NEWUTS
        | CloneFlags::CLONE_NEWNET;
    enter(1, others)?;
    fchdir(&root).and_then(|()| chroot(".")).context("change into the machine's root")?;
    ensure!(Path::new(SANDBOX_DIR).is_dir(), "this is not the machine's root: {SANDBOX_DIR} is missing");
    umask(Mode::from_bits_truncate(0o022));
    if !options.terminal {
        nix::unistd::setsid().context("start a session without a terminal")?;
    }
    if let Some(path) = options.record {
        record(path, &outside_pid)?;
    }
    if let Some(user) = options.user {
        become_user(user)?;
    }
    let error = Command::new(name).args(rest).exec();
    eprintln!("usher-sandbox: run {name} in the machine: {error}");
    Ok(ExitCode::from(127))
}

fn enter(pid: i32, namespaces: CloneFlags) -> Result<()> {
    let pid = Pid::from_raw(pid).context("0 is not a pid")?;
    let machine = pidfd_open(pid, PidfdFlags::empty()).context("find PID 1 of the machine: has it ended?")?;
    setns(machine, namespaces).with_context(|| format!("enter the machine's namespaces {namespaces:?}"))
}

/// By rename, so that nobody reads half of it.
fn record(path: &Path, outside_pid: &Path) -> Result<()> {
    let mut new = PathBuf::from(path);
    new.set_extension("new");
    let text = format!("{} {}\n", std::process::id(), outside_pid.display());
    fs::write(&new, text)
        .and_then(|()| fs::rename(&new, path))
        .with_context(|| format!("write {}", path.display()))
}

fn become_user(name: &str) -> Result<()> {
    let user = User::from_name(name)
        .with_context(|| format!("look up the user {name}"))?
        .with_context(|| format!("the machine has no user {name}"))?;
    let c_name = CString::new(name).context("a user name with a NUL")?;
    initgroups(&c_name, user.gid).with_context(|| format!("set the groups of {name}"))?;
    setgid(user.gid).with_context(|| format!("set the gid of {name}"))?;
    setuid(user.uid).with_context(|| format!("set the uid of {name}"))?;
    // setuid(2) clears it, and the command must still die with the test.
    set_pdeathsig(Signal::SIGKILL).context("ask to be killed with the parent process")?;
    std::env::set_current_dir(&user.dir).with_context(|| format!("change into {}", user.dir.display()))
}
