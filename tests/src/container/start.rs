//! How a container is started.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use super::console::Console;
use super::image::Image;
use super::{CGROUP, Container, ROOT};
use crate::machine::command::finish;
use crate::{DEADLINE, Machine, artefacts, wait};

/// The tar file in the machine.
const TAR: &str = "/usr/lib/container.tar";
/// systemd, or whatever the image has as /sbin/init, in nspawn's own words.
const BOOT: [&str; 1] = ["--boot"];
/// True when systemd has nothing more to start.
const SYSTEMD_READY: [&str; 3] =
    ["sh", "-c", "case $(systemctl is-system-running) in running|degraded) ;; *) exit 1;; esac"];
/// Finds the container's PID 1: systemd-nspawn's first child only prepares it, the second is number 1 of its namespace.
const LEADER: &str = r"for pid in $(pgrep -P $(pgrep -x systemd-nspawn)); do
    grep -q '^NSpid:.*[[:space:]]1$' /proc/$pid/status && echo $pid; done; true";
/// Booting takes a second or two; a loaded computer may need much longer.
const LIMIT: Duration = Duration::from_secs(90);

/// A container that is to be started; from [`Image::container`].
#[derive(Debug, Clone)]
#[must_use]
pub struct Start<'a> {
    image: &'a Image,
    files: Vec<(PathBuf, String, u32)>,
    programs: Vec<(PathBuf, PathBuf)>,
    prepare: String,
    init: Vec<String>,
    ready: Vec<String>,
    terminal: bool,
}

impl<'a> Start<'a> {
    pub(super) fn new(image: &'a Image) -> Self {
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        Self {
            image,
            files: Vec::new(),
            programs: Vec::new(),
            prepare: String::new(),
            init: words(&BOOT),
            ready: words(&SYSTEMD_READY),
            terminal: false,
        }
    }

    /// A file of root, there before PID 1 is.
    pub fn file(mut self, path: impl Into<PathBuf>, contents: &str, mode: u32) -> Self {
        self.files.push((path.into(), contents.to_owned(), mode));
        self
    }

    /// An executable file of the host's (or a package), there before PID 1 is. It is copied, with its mode.
    pub fn program(mut self, source: impl Into<PathBuf>, target: impl Into<PathBuf>) -> Self {
        self.programs.push((source.into(), target.into()));
        self
    }

    /// The load programs, in the places where machines have them: see [`load`](crate::load).
    ///
    /// # Errors
    /// They have not been built; the message says how to.
    pub fn load_programs(mut self) -> Result<Self> {
        for name in ["usher-pam-load", "usher-bus-load"] {
            self.programs.push((artefacts::built(name)?, format!("/usr/bin/{name}").into()));
        }
        Ok(self)
    }

    /// More lines of shell, run with `sh -e` as root in the root file system after the files were put there and before PID 1
    /// starts, in a container that has nothing else: `dpkg -i`, for instance. There is no network.
    pub fn prepare(mut self, script: &str) -> Self {
        self.prepare.push_str(script);
        self.prepare.push('\n');
        self
    }

    /// PID 1 is this program with these arguments, and not systemd; `ready` is a command that fails until the container is
    /// ready to be used. It is run as root again and again.
    pub fn init(mut self, program: &[&str], ready: &[&str]) -> Self {
        self.init = ["--"].iter().chain(program).map(|word| (*word).to_owned()).collect();
        self.ready = ready.iter().map(|word| (*word).to_owned()).collect();
        self
    }

    /// The console is a terminal that a getty can serve, and [`Container::type_in`] types on.
    pub fn terminal(mut self) -> Self {
        self.terminal = true;
        self
    }

    /// Starts it.
    ///
    /// # Panics
    /// When it cannot be made; the message says why and what to do.
    pub fn boot(self) -> Container {
        self.try_boot().unwrap_or_else(|error| panic!("{error:#}"))
    }

    /// Starts it, or says why that cannot be done and what to do.
    ///
    /// # Errors
    /// The image cannot be made, or PID 1 does not start, or it is not ready in time (with [`Container::dump`]).
    pub fn try_boot(self) -> Result<Container> {
        let tar = self.image.ensure()?;
        let machine = Machine::builder().bare().program(tar, TAR).try_boot()?;
        machine.sh(&format!(
            "mkdir {ROOT} && mount -t tmpfs -o mode=0755 container {ROOT} && tar -C {ROOT} --numeric-owner -xpf {TAR}"
        ));
        self.fill(&machine)?;
        let (terminal, init) = (self.terminal, self.init.clone());
        let again = Again { terminal, init, ready: self.ready.clone() };
        let (nspawn, console) = again.nspawn(&machine)?;
        let mut container = Container { machine, nspawn, leader: 0, cgroup: String::new(), console, again };
        container.wait_booted()?;
        Ok(container)
    }

    fn fill(&self, machine: &Machine) -> Result<()> {
        let place = |path: &Path| machine.file(ROOT).join(path.strip_prefix("/").unwrap_or(path));
        for (path, contents, mode) in &self.files {
            let target = place(path);
            let written = directories(&target).and_then(|()| {
                fs::write(&target, contents)?;
                fs::set_permissions(&target, fs::Permissions::from_mode(*mode))
            });
            written.with_context(|| format!("write {} in the container", path.display()))?;
        }
        for (source, path) in &self.programs {
            let target = place(path);
            let copied = directories(&target).and_then(|()| fs::copy(source, &target));
            copied.with_context(|| format!("copy {} to {}", source.display(), path.display()))?;
        }
        if self.prepare.is_empty() {
            return Ok(());
        }
        let words = ["--as-pid2", "--", "sh", "-ec", &self.prepare];
        let command = nspawn(machine, &format!("{CGROUP}-before"), false, &words);
        let output = finish(command, LIMIT).context("run systemd-nspawn")?;
        let output = output.with_context(|| format!("the preparation did not end within {LIMIT:?}"))?;
        ensure!(output.ok(), "the container cannot be prepared: {output}");
        Ok(())
    }
}

/// What is needed to start a container that is prepared.
#[derive(Debug)]
pub(super) struct Again {
    terminal: bool,
    init: Vec<String>,
    ready: Vec<String>,
}

impl Again {
    fn nspawn(&self, machine: &Machine) -> Result<(Child, Console)> {
        let init: Vec<&str> = self.init.iter().map(String::as_str).collect();
        let mut command = nspawn(machine, CGROUP, self.terminal, &init);
        if self.terminal { Console::terminal(&mut command) } else { Console::pipes(&mut command) }
    }
}

impl Container {
    /// Starts it again after a reboot: systemd-nspawn leaves that to whoever has started it.
    pub(super) fn start_again(&mut self) -> Result<()> {
        // Nothing can be removed where somebody is left.
        self.machine.sh(&format!("find {CGROUP} -depth -type d -exec rmdir {{}} ';'"));
        let (nspawn, console) = self.again.nspawn(&self.machine)?;
        self.nspawn = nspawn;
        self.console.replace(console);
        self.wait_booted()
    }

    /// Waits for PID 1 and until it is ready.
    fn wait_booted(&mut self) -> Result<()> {
        let deadline = Instant::now() + LIMIT;
        self.find_leader(deadline)?;
        self.find_cgroup()?;
        self.wait_ready(deadline)
    }

    fn find_leader(&mut self, deadline: Instant) -> Result<()> {
        let mut leader = None;
        let found = wait::until(deadline, || {
            let out = self.machine.try_run(&["sh", "-c", LEADER]);
            leader = out.text().lines().next().and_then(|pid| pid.parse().ok());
            leader.is_some() || matches!(self.nspawn.try_wait(), Ok(Some(_)))
        });
        match (found, leader) {
            (true, Some(leader)) => self.leader = leader,
            _ => bail!("systemd-nspawn started no container:\n{}", self.console()),
        }
        Ok(())
    }

    /// systemd-nspawn makes a directory of its own in the one that it was given, unless PID 1 knows only the older cgroups.
    fn find_cgroup(&mut self) -> Result<()> {
        let payload = format!("{CGROUP}/payload");
        let root = if self.machine.exists(&payload) { payload } else { CGROUP.to_owned() };
        self.cgroup = format!("{root}/harness");
        let directory = self.machine.file(&self.cgroup);
        fs::create_dir_all(&directory).with_context(|| format!("make {}", self.cgroup))
    }

    fn wait_ready(&mut self, deadline: Instant) -> Result<()> {
        let words = self.again.ready.clone();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let mut last = String::new();
        let mut ended = false;
        let ready = wait::until(deadline, || {
            // The first tries come before there is anybody to ask.
            let output = finish(self.command(&words), DEADLINE).ok().flatten();
            last = output.as_ref().map_or_else(|| "(no answer)".to_owned(), ToString::to_string);
            ended = !self.is_running();
            ended || output.is_some_and(|output| output.ok())
        });
        let words = words.join(" ");
        ensure!(!ended, "the container ended before it was ready:\n{}", self.console());
        ensure!(
            ready,
            "the container was not ready within {LIMIT:?}: `{words}` says {last}\n{}",
            self.dump()
        );
        Ok(())
    }
}

fn directories(target: &Path) -> std::io::Result<()> {
    target.parent().map_or(Ok(()), fs::create_dir_all)
}

fn nspawn(machine: &Machine, cgroup: &str, terminal: bool, words: &[&str]) -> Command {
    let console = if terminal { "interactive" } else { "pipe" };
    // systemd-nspawn wants a cgroup that is its own.
    let script = format!(
        "mkdir {cgroup} && echo $$ > {cgroup}/cgroup.procs && exec systemd-nspawn --quiet --register=no --keep-unit \
         --console={console} --machine=container -D {ROOT} \"$@\""
    );
    let mut command = machine.command(&[&["sh", "-c", &script, "sh"], words].concat());
    command.env("SYSTEMD_NSPAWN_UNIFIED_HIERARCHY", "1");
    command
}
