//! The command line that makes a process become a user's manager, from the manager's definition and the drop-ins of
//! user@.service.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, LazyLock};

use usher_model::Account;

use crate::config::unit::{self, Limit, UnitSettings};
use crate::config::{self, Definition, Readiness, Subject};
use crate::installed;

/// Becomes the manager: joins the cgroup, opens the PAM session, drops privileges, executes the program.
pub(super) static LAUNCHER: LazyLock<PathBuf> = LazyLock::new(|| installed::lib("usher-user-manager"));

/// A user's manager as it is to be started.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    pub(super) account: Account,
    pub(super) definition: Arc<Definition>,
    pub(super) unit: UnitSettings,
}

/// How the manager reaches usherd.
#[derive(Debug, Clone, Copy)]
pub(super) enum Way<'a> {
    /// A socket for sd_notify(3).
    Socket(&'a Path),
    /// The FIFO.
    Fifo(&'a Path),
}

impl Plan {
    /// For a user, with the drop-ins as they are now.
    pub(super) fn new(account: Account, definition: Arc<Definition>) -> Self {
        let runtime_dir = account.uid.runtime_path();
        let unit = unit::load(&config::SystemFiles, &subject(&account, &runtime_dir));
        Self { account, definition, unit }
    }

    /// What is to be run: the first program that is installed. Where there is no choice, it is tried anyway. Without cgroups
    /// systemd ends with a bare exit status; better to say why it cannot run.
    pub(super) fn words(&self, has_cgroups: bool) -> Result<Vec<String>, String> {
        let start = &self.definition.start;
        let Some(first) = start.first() else { return Ok(Vec::new()) };
        if self.definition.needs_cgroups && !has_cgroups {
            return Err(format!(
                "{} needs a cgroup2 tree that usherd may write to, and there is none; give the container one, or set \
                 Manager= in /etc/usher/usher.conf to none or to another manager",
                short(first)
            ));
        }
        let installed = |words: &&Vec<String>| words.first().is_some_and(|path| Path::new(path).exists());
        let chosen = match start.len() {
            1 => Some(first),
            _ => start.iter().find(installed),
        };
        let program = first.first().map(String::as_str).unwrap_or_default();
        let chosen = chosen.ok_or_else(|| {
            format!("there is no {program}: install it, or set Manager= in /etc/usher/usher.conf")
        })?;
        Ok(self.filled(chosen))
    }

    fn filled(&self, words: &[String]) -> Vec<String> {
        let runtime_dir = self.account.uid.runtime_path();
        let subject = subject(&self.account, &runtime_dir);
        words.iter().map(|word| config::filled(word, &subject)).collect()
    }

    /// The command that becomes the manager, or stands in for one that somebody else runs.
    pub(super) fn command(&self, words: &[String], cgroup: Option<&Path>, way: Way<'_>) -> Command {
        let mut command = self.launcher(cgroup);
        match way {
            Way::Socket(path) => command.arg("--notify-socket").arg(path),
            Way::Fifo(path) => command.arg("--ready-fifo").arg(path),
        };
        match &self.definition.readiness {
            Readiness::Notify => {}
            Readiness::Fd => drop(command.args(["--ready-by", "fd"])),
            Readiness::Immediate => drop(command.args(["--ready-by", "exec"])),
            Readiness::File(path) => {
                let path = self.filled(std::slice::from_ref(path)).concat();
                command.args(["--ready-by", "file", "--ready-file"]).arg(path);
            }
        }
        if self.definition.boot_marker {
            command.arg("--private-boot-marker");
        }
        for name in &self.unit.unset_environment {
            command.arg(format!("--unsetenv={name}"));
        }
        command.arg("--await-go-ahead");
        if words.is_empty() {
            command.arg("--external");
        } else {
            command.arg("--").args(words);
        }
        command
    }

    /// The command that asks the manager to stop.
    pub(super) fn stop_command(&self, words: &[String], cgroup: Option<&Path>, main: u32) -> Command {
        let mut command = self.launcher(cgroup);
        command.arg("--no-session").arg(format!("--setenv=MAINPID={main}"));
        command.arg("--").args(self.filled(words));
        command
    }

    /// What both have in common: who it is, and what drop-ins say.
    fn launcher(&self, cgroup: Option<&Path>) -> Command {
        let Self { account, definition, unit } = self;
        let mut command = Command::new(&*LAUNCHER);
        command
            .arg("--uid")
            .arg(account.uid.to_string())
            .arg("--gid")
            .arg(account.gid.to_string())
            .arg("--name")
            .arg(account.name.as_str())
            .arg("--home")
            .arg(&account.home)
            .arg("--shell")
            .arg(&account.shell)
            .arg("--runtime-dir")
            .arg(account.uid.runtime_path());
        if let Some(cgroup) = cgroup {
            command.arg("--cgroup").arg(cgroup);
        }
        let runtime_dir = account.uid.runtime_path();
        let subject = subject(account, &runtime_dir);
        for (name, value) in &definition.environment {
            command.arg(format!("--setenv={name}={}", config::filled(value, &subject)));
        }
        for (name, value) in &unit.environment {
            command.arg(format!("--setenv={name}={value}"));
        }
        for file in &unit.environment_files {
            let dash = if file.optional { "-" } else { "" };
            command.arg(format!("--environment-file={dash}{}", file.path));
        }
        for (name, Limit { soft, hard }) in &unit.limits {
            let text = |value: &Option<u64>| value.map_or("infinity".to_owned(), |value| value.to_string());
            command.arg(format!("--limit={name}={}:{}", text(soft), text(hard)));
        }
        let numbers = [
            ("nice", unit.nice.map(i64::from)),
            ("oom-score-adjust", unit.oom_score_adjust.map(i64::from)),
            ("umask", unit.umask.map(i64::from)),
        ];
        for (name, number) in numbers {
            if let Some(number) = number {
                command.arg(format!("--{name}={number}"));
            }
        }
        // usherd's own environment is the init system's business, not the users'.
        command.env_clear();
        command
    }
}

fn subject<'a>(account: &'a Account, runtime_dir: &'a str) -> Subject<'a> {
    Subject {
        user: account.name.as_str(),
        uid: account.uid.get(),
        home: &account.home,
        runtime_dir,
        shell: &account.shell,
    }
}

/// A command without the directory of its program.
fn short(words: &[String]) -> String {
    let words = words.join(" ");
    let (program, rest) = words.split_once(' ').unwrap_or((&words, ""));
    let name = program.rsplit('/').next().unwrap_or(program);
    format!("{name} {rest}").trim_end().to_owned()
}
