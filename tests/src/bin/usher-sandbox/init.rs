//! PID 1 of a machine: builds it, says `ready` or `error …` on standard output, then supervises.

use std::fs;
use std::io::{self, BufRead, Write};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, ensure};
use nix::sched::{CloneFlags, unshare};
use nix::sys::prctl::{set_name, set_pdeathsig};
use nix::sys::signal::Signal;
use nix::sys::stat::{Mode, umask};
use usher_tests::spec::{INIT_CGROUP, Spec};

use crate::supervise::Supervisor;
use crate::{cgroup, etc, pam, rootfs};

pub(crate) fn init() -> Result<ExitCode> {
    // The whole machine dies with its keeper, even when that one is killed.
    set_pdeathsig(Signal::SIGKILL).context("ask to be killed with the parent process")?;
    set_name(c"usher-sandbox").context("name PID 1")?;
    umask(Mode::from_bits_truncate(0o022));
    match boot() {
        Ok(mut supervisor) => {
            say("ready")?;
            supervisor.run()
        }
        Err(error) => {
            say(&format!("error {error:#}"))?;
            Ok(ExitCode::FAILURE)
        }
    }
}

fn boot() -> Result<Supervisor> {
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line).context("read the machine's specification")?;
    let spec: Spec = serde_json::from_str(&line).context("parse the machine's specification")?;
    namespaces(&spec)?;
    let mut loopback =
        Command::new("ip").args(["link", "set", "lo", "up"]).spawn().context("run ip (package iproute2)")?;
    rootfs::enter(&spec)?;
    etc::write(&spec)?;
    pam::write(&spec)?;
    for file in &spec.files {
        etc::file(&file.path, &file.contents, file.mode, file.owner)?;
    }
    let supervisor = Supervisor::new()?;
    let status = loopback.wait().context("wait for ip")?;
    ensure!(status.success(), "`ip link set lo up` failed in the machine: {status}");
    Ok(supervisor)
}

/// The order matters: a cgroup namespace's root is the cgroup of the process at the moment of unshare(2), and the
/// host's cgroup path is reachable only until [`rootfs::enter`].
fn namespaces(spec: &Spec) -> Result<()> {
    cgroup::join(&spec.cgroup)?;
    let flags = CloneFlags::CLONE_NEWNS
        | CloneFlags::CLONE_NEWCGROUP
        | CloneFlags::CLONE_NEWIPC
        | CloneFlags::CLONE_NEWUTS
        | CloneFlags::CLONE_NEWNET;
    unshare(flags).context("make mount, cgroup, ipc, uts and network namespaces (needs CAP_SYS_ADMIN)")?;
    cgroup::join(&spec.cgroup.join(INIT_CGROUP))?;
    nix::unistd::sethostname(etc::HOSTNAME).context("set the machine's host name")?;
    fs::metadata("/proc/self").context("look at /proc, which the machine needs")?;
    Ok(())
}

fn say(line: &str) -> Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{}", line.replace('\n', " ")).and_then(|()| out.flush()).context("report to the harness")
}
