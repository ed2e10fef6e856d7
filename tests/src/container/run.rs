//! Running commands in a container to their end, and what it has to say.

use std::fmt::Write;
use std::process::Command;
use std::time::Duration;

use super::Container;
use crate::DEADLINE;
use crate::machine::command::{Output, finish};

/// Puts the command into a cgroup of the container's, and then into its namespaces.
const ENTER: &str =
    r#"echo $$ > "$1/cgroup.procs" && leader=$2 && shift 2 && exec nsenter -t "$leader" -a -- "$@""#;
/// A container that hangs must not keep its dump from being printed.
const DUMP: Duration = Duration::from_secs(5);
/// As much of any init as there is.
const DUMP_SCRIPT: &str = r#"
section() { printf '\n---- %s\n' "$1"; }
if [ -d /run/systemd/system ]; then
    section 'failed units'; systemctl --no-pager --failed
    section journal; journalctl --no-pager -n 150
fi
for log in /var/log/*.log /var/log/syslog /var/log/messages /var/log/boot; do
    [ -f "$log" ] && { section "$log"; tail -n 60 "$log"; }
done
true
"#;

impl Container {
    /// Runs a command as root and returns what it wrote.
    ///
    /// # Panics
    /// When it fails or does not end within [`DEADLINE`], with [`Container::dump`].
    pub fn run(&self, command: &[&str]) -> Output {
        self.succeeded(command, self.try_run(command))
    }

    /// Like [`run`](Self::run), but a command that fails is an answer too.
    pub fn try_run(&self, command: &[&str]) -> Output {
        self.output(self.command(command), command, DEADLINE)
    }

    /// Like [`run`](Self::run), for a line of shell.
    pub fn sh(&self, script: &str) -> Output {
        self.run(&["sh", "-c", script])
    }

    /// Runs a command as another user: uid, groups, home directory, and no PAM session.
    ///
    /// # Panics
    /// As [`run`](Self::run).
    pub fn as_user(&self, user: &str, command: &[&str]) -> Output {
        self.succeeded(command, self.try_as_user(user, command))
    }

    /// Like [`as_user`](Self::as_user), but a command that fails is an answer too.
    pub fn try_as_user(&self, user: &str, command: &[&str]) -> Output {
        self.output(self.command_as(user, command), command, DEADLINE)
    }

    /// A command in the container for callers with wishes of their own: standard streams, environment, waiting. It starts as
    /// root in a cgroup that is in no unit and no session, without a terminal, with a small clean environment. Killing the
    /// returned process kills the command (not what it has started).
    pub fn command(&self, command: &[&str]) -> Command {
        let leader = self.leader.to_string();
        self.machine.command(&[&["sh", "-c", ENTER, "sh", &self.cgroup, &leader], command].concat())
    }

    /// Like [`command`](Self::command), as another user.
    pub fn command_as(&self, user: &str, command: &[&str]) -> Command {
        let (uid, gid) = (format!("--reuid={user}"), format!("--regid={user}"));
        let mut command = self.command(&[&["setpriv", &uid, &gid, "--init-groups", "--"], command].concat());
        let home = if user == "root" { "/root".to_owned() } else { format!("/home/{user}") };
        command.env("HOME", home).env("USER", user).env("LOGNAME", user);
        command
    }

    /// Runs a prepared command to its end within that time.
    ///
    /// # Panics
    /// When it does not end in time, with [`Container::dump`].
    pub fn output(&self, command: Command, words: &[&str], limit: Duration) -> Output {
        match finish(command, limit) {
            Ok(Some(output)) => output,
            Ok(None) => panic!("`{}` did not end within {limit:?}\n{}", words.join(" "), self.dump()),
            Err(error) => panic!("cannot run `{}`: {error}", words.join(" ")),
        }
    }

    pub(crate) fn succeeded(&self, command: &[&str], output: Output) -> Output {
        assert!(output.ok(), "`{}` failed: {output}\n{}", command.join(" "), self.dump());
        output
    }

    /// What the container has to say, for the message of a test that fails: its console, processes with their cgroups, logs.
    pub fn dump(&self) -> String {
        let mut dump = format!("---- console\n{}\n", self.console.history());
        let processes = ["ps", "-e", "-o", "pid,ppid,uid,stat,cgroup:70,args", "--forest"];
        for (what, command) in [
            ("processes, in the machine's numbers", self.machine.command(&processes)),
            ("the container's own words", self.command(&["sh", "-c", DUMP_SCRIPT])),
        ] {
            let out = finish(command, DUMP).ok().flatten();
            let text = out.map_or_else(|| "(no answer)".to_owned(), |out| out.stdout + &out.stderr);
            let _ = writeln!(dump, "---- {what}\n{text}");
        }
        dump
    }
}
