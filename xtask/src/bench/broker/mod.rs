//! The brokers that are measured side by side, behind one face. Each is booted with a system bus, with the same users and with
//! the same settings: nothing waits after a logout, nothing is killed at one, and thousands of sessions are allowed.

mod elogind;
mod logind;
mod usher;

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde::{Deserialize, Serialize};
use usher_tests::load::processes::{self, Process};
use usher_tests::load::{Place, bus};
use usher_tests::{Container, Machine};

use super::usherd;

/// The PAM service with the broker's module in each of these places.
pub(super) const SERVICE: &str = "usher-bench";
/// The one without.
pub(super) const PERMIT: &str = "permit-bench";
/// Who is logged in all the time.
pub(super) const WARM: &str = "warm";
/// Users of held sessions.
pub(super) const HOLDERS: usize = 10;
/// The number of the first user; the others follow.
const FIRST_UID: u32 = 2000;
/// Every broker is allowed more than is asked of it.
const SETTINGS: &str = "[Login]\nUserStopDelaySec=0\nKillUserProcesses=no\nSessionsMax=20000\n";
/// The part of a PAM service that lets everybody in, in a container.
const PERMIT_STACK: &str = "auth required pam_permit.so\naccount required pam_permit.so\n";
/// Managers that have just been started by linger.
const MANAGERS: Duration = Duration::from_secs(60);

/// Which broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Name {
    Usher,
    Elogind,
    Logind,
}

impl Name {
    pub(crate) fn text(self) -> &'static str {
        match self {
            Self::Usher => "usher",
            Self::Elogind => "elogind",
            Self::Logind => "logind",
        }
    }

    /// Boots it with that many users for first logins.
    pub(super) fn boot(self, firsts: usize) -> Result<Broker> {
        let users: Vec<(u32, String)> = (FIRST_UID..).zip(users(firsts)).collect();
        let broker = match self {
            Self::Usher => usher::boot(&users),
            Self::Elogind => elogind::boot(&users, elogind::MANY_DESCRIPTORS),
            Self::Logind => logind::boot(&users),
        }?;
        broker.processes()?.iter().for_each(Process::apply_nice_to_session);
        Ok(broker)
    }
}

pub(super) use elogind::boot_with_few_descriptors as elogind_with_few_descriptors;

/// A broker that runs, in a place of its own.
pub(super) struct Broker {
    pub(super) name: Name,
    /// As it says itself.
    pub(super) version: String,
    /// Before the place, so that it is still there.
    _daemons: Daemons,
    place: World,
    /// What its process is called.
    daemon: &'static str,
    /// Processes that work for it, and for others as well.
    beside: &'static [&'static str],
    /// Its command line tool.
    tool: &'static str,
    /// What to start after a crash; nothing if its supervisor does.
    restart: &'static [&'static str],
}

enum World {
    Machine(Box<Machine>),
    Container(Box<Container>),
}

/// Programs that were started by hand.
struct Daemons(Vec<std::process::Child>);

impl Broker {
    pub(super) fn place(&self) -> &dyn Place {
        match &self.place {
            World::Machine(machine) => machine.as_ref(),
            World::Container(container) => container.as_ref(),
        }
    }

    /// Its process, if it runs.
    pub(super) fn daemon(&self) -> Option<Process> {
        // The youngest: the one before it may be a zombie still.
        processes::named(self.place(), &[self.daemon]).ok()?.into_iter().next_back()
    }

    /// An error if it does not run: whoever asks would only wait in vain.
    pub(super) fn check(&self) -> Result<()> {
        ensure!(self.daemon().is_some(), "gone");
        Ok(())
    }

    /// Its process and those that work for it.
    pub(super) fn processes(&self) -> Result<Vec<Process>> {
        let names = [&[self.daemon], self.beside].concat();
        let found = processes::named(self.place(), &names)?;
        // A user manager is called as PID 1 is, and users may have a bus of their own.
        Ok(found.into_iter().filter(|process| process.name != "systemd" || process.pid == 1).collect())
    }

    /// The command that lists sessions.
    pub(super) fn list_command(&self) -> [&'static str; 2] {
        [self.tool, "list-sessions"]
    }

    /// What is not there any more when nothing is left of a user, who is number `n` of those for first logins.
    pub(super) fn watched(&self, n: usize) -> [String; 2] {
        let uid = FIRST_UID as usize + n;
        [format!("/run/user/{uid}"), format!("/sys/fs/cgroup/user.slice/user-{uid}.slice")]
    }

    /// Has these users there for good, with their managers.
    pub(super) fn linger(&self, users: &[String]) -> Result<()> {
        let words: Vec<&str> =
            [self.tool, "enable-linger"].into_iter().chain(users.iter().map(String::as_str)).collect();
        self.run(&words)?;
        let start = Instant::now();
        while !users.iter().all(|user| self.has_manager(user)) {
            ensure!(
                start.elapsed() < MANAGERS,
                "the lingering users of {} have no managers",
                self.name.text()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    fn has_manager(&self, user: &str) -> bool {
        match self.name {
            Name::Usher => self
                .run(&["usherctl", "show-user", user, "-p", "Manager", "--value"])
                .is_ok_and(|text| text.trim() == "ready"),
            Name::Logind => {
                let script = "systemctl is-active user@$(id -u \"$1\").service";
                self.run(&["sh", "-c", script, "sh", user]).is_ok()
            }
            Name::Elogind => true,
        }
    }

    /// What it has said of logins that failed; usher alone, the others say nothing where they could be heard.
    pub(super) fn complaints(&self) -> Vec<String> {
        match &self.place {
            World::Machine(machine) => usherd::complaints(machine),
            World::Container(_) => Vec::new(),
        }
    }

    /// Kills its process and waits until one answers.
    pub(super) fn revive(&self) -> Result<bus::Revived> {
        let daemon = self.daemon().with_context(|| format!("{} does not run", self.name.text()))?;
        bus::revive(self.place(), daemon.pid, self.restart)
    }

    /// What a command writes.
    pub(super) fn run(&self, words: &[&str]) -> Result<String> {
        let output = self.place().command(words).output().with_context(|| format!("run {}", words[0]))?;
        let (text, error) =
            (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        if !output.status.success() {
            bail!("`{}` failed: {text}{error}", words.join(" "));
        }
        Ok(text.into_owned())
    }
}

impl Drop for Daemons {
    fn drop(&mut self) {
        for daemon in &mut self.0 {
            let _ = daemon.kill();
            let _ = daemon.wait();
        }
    }
}

/// Names of all users: those for first logins come first, so that their numbers are easily known.
fn users(firsts: usize) -> impl Iterator<Item = String> {
    let holders = holders();
    (0..firsts).map(first).chain([WARM.to_owned()]).chain(holders)
}

/// Names of those who hold sessions.
pub(super) fn holders() -> Vec<String> {
    (0..HOLDERS).map(|n| format!("holder{n}")).collect()
}

/// The name of a user for one first login.
pub(super) fn first(n: usize) -> String {
    format!("first{n}")
}

/// For a container's script: makes the users.
fn make_users(users: &[(u32, String)]) -> String {
    users
        .iter()
        .map(|(uid, name)| format!("useradd --create-home --shell /bin/sh --uid {uid} {name}\n"))
        .collect()
}
