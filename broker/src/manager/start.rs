//! Starting one manager: its cgroup, the way on which it says that it is ready, the launcher.

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, PipeReader};
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use tracing::{debug, warn};
use usher_model::{Account, Generation};
use usher_protocol::ids::{LeaderPid, Uid};

use super::backend::{self, Plan, Way};
use super::fifo::{self, Fifo};
use super::notify::{self, Readiness};
use super::realm::Realm;
use super::supervise::{Said, Supervised};
use super::words::Words;
use crate::config::{self, Definition};
use crate::crash;
use crate::sys::pidfd;
use crate::sys::spawn::{Execution, spawn_in_cgroup};

/// So many different complaints about drop-ins are told once each; then that begins anew.
const TOLD_LIMIT: usize = 1000;

/// Starts managers.
#[derive(Debug, Clone)]
pub(super) struct Starter {
    pub(super) realm: Realm,
    /// What has been said about drop-ins: each login would say the same again.
    told: Arc<Mutex<HashSet<String>>>,
    /// What managers say.
    output: Words,
}

impl Starter {
    pub(super) fn new(realm: Realm, output: Words) -> Self {
        Self { realm, told: Arc::default(), output }
    }

    /// Starts the launcher, which waits for the word to go on.
    pub(super) fn start(
        &self,
        account: Account,
        generation: Generation,
        name: &str,
        definition: Arc<Definition>,
    ) -> Result<Supervised, String> {
        let (uid, gid) = (account.uid, account.gid);
        let plan = self.plan(account, definition);
        let words = plan.words(self.realm.exists())?;
        // Whatever an earlier run has left there would be a second manager's.
        let was_killed = self.realm.kill_strangers(uid);
        let cgroup =
            self.realm.prepare(uid, gid).map_err(|error| format!("cannot prepare its cgroup: {error}"))?;
        self.realm.limit(uid, &plan.unit.slice, &plan.unit.service);
        crash::point(crash::MANAGER_CGROUP_MADE);
        let readiness = match plan.definition.readiness {
            config::Readiness::Notify => Readiness::bind(uid, gid)
                .map(Said::Notify)
                .map_err(|error| format!("cannot make its readiness socket: {error}"))?,
            _ => Fifo::make(uid)
                .map(Said::Line)
                .map_err(|error| format!("cannot make its readiness FIFO: {error}"))?,
        };
        if let Err(error) = notify::note_definition(uid, name) {
            warn!(%uid, %error, "cannot note how the user manager is stopped: after a restart of usherd it gets SIGTERM");
        }
        crash::point(crash::READINESS_BOUND);
        let (waits, launcher) = io::pipe().map_err(|error| format!("cannot make a pipe: {error}"))?;
        let output = match self.output.listen(uid, gid) {
            Ok(output) => Some(output),
            Err(error) => {
                warn!(%uid, %error, "what the user manager says goes to usherd's own output, and user-status has none of it");
                None
            }
        };
        let birthplace = cgroup.as_deref().filter(|_| !was_killed);
        let (pid, fd, execution) =
            spawn(&plan, &words, (cgroup.as_deref(), birthplace), &readiness, waits, output)
                .map_err(|error| format!("cannot run {}: {error}", backend::LAUNCHER.display()))?;
        crash::point(crash::MANAGER_SPAWNED);
        // Not reaped yet, so the number is its own.
        let main =
            pidfd::leader_of(pid).map_err(|error| format!("lost it right after its start: {error}"))?;
        let (readiness, launcher) = (Some(readiness), Some(launcher));
        Ok(Supervised { uid, generation, main, fd, is_child: true, readiness, plan, launcher, execution })
    }

    /// One that an earlier usherd has started.
    pub(super) fn adopted(
        &self,
        account: Account,
        generation: Generation,
        definition: Arc<Definition>,
        (main, fd): (LeaderPid, OwnedFd),
        ready: bool,
    ) -> Supervised {
        let (uid, gid) = (account.uid, account.gid);
        let plan = self.plan(account, definition);
        let readiness = match plan.definition.readiness {
            _ if ready => None,
            config::Readiness::Notify => Readiness::bind(uid, gid).ok().map(Said::Notify),
            _ => Fifo::find(uid).ok().map(Said::Line),
        };
        Supervised {
            uid,
            generation,
            main,
            fd,
            is_child: false,
            readiness,
            plan,
            launcher: None,
            execution: None,
        }
    }

    fn plan(&self, account: Account, definition: Arc<Definition>) -> Plan {
        let plan = Plan::new(account, definition);
        let uid = plan.account.uid;
        for warning in &plan.unit.warnings {
            self.tell(uid, warning.to_string());
        }
        if let Some(line) = plan.unit.unheeded_line() {
            // What comes with systemd's package is nobody's mistake.
            let shipped = plan.unit.unheeded.iter().all(|(file, _)| file.starts_with("/usr"));
            if shipped { debug!(%uid, "{line}") } else { self.tell(uid, line) }
        }
        plan
    }

    /// Says it, unless it has been said.
    fn tell(&self, uid: Uid, line: String) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.len() >= TOLD_LIMIT {
            told.clear();
        }
        if !told.contains(&line) {
            warn!(%uid, "{line}");
            told.insert(line);
        }
    }
}

/// Starts the launcher, in its cgroup where that is possible; else it moves there itself. Its standard input is where it
/// waits for the word to go on.
///
/// Not born in a cgroup that `cgroup.kill` was written to before: with Linux 6.18 such a process has been seen to be killed at
/// once.
fn spawn(
    plan: &Plan,
    words: &[String],
    (cgroup, birthplace): (Option<&Path>, Option<&Path>),
    readiness: &Said,
    stdin: PipeReader,
    output: Option<File>,
) -> io::Result<(u32, OwnedFd, Option<Execution>)> {
    let path = match readiness {
        Said::Notify(readiness) => readiness.path(),
        Said::Line(_) => fifo::path(plan.account.uid),
    };
    let way = match readiness {
        Said::Notify(_) => Way::Socket(&path),
        Said::Line(_) => Way::Fifo(&path),
    };
    if let Some(cgroup) = birthplace {
        // What is most often wrong is known at once; the rest when the child has ended.
        rustix::fs::access(backend::LAUNCHER.as_path(), rustix::fs::Access::EXEC_OK)?;
        let command = plan.command(words, None, way);
        match spawn_in_cgroup(&command, cgroup, stdin.as_fd(), output.as_ref().map(AsFd::as_fd)) {
            Ok((pid, fd, execution)) => return Ok((pid, fd, Some(execution))),
            Err(error) => debug!(%error, "cannot start the user manager in its cgroup: it will move there"),
        }
    }
    let mut command = plan.command(words, cgroup, way);
    if let Some(output) = output {
        command.stdout(output.try_clone()?).stderr(output);
    }
    let child = command.stdin(stdin).spawn()?;
    Ok((child.id(), pidfd::open(child.id()).map_err(|error| error.source)?, None))
}
