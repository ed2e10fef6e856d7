//! Hooks: programs of the administrator's that run as root when sessions and users come and go. Nobody waits for them: no login, no
//! logout, no loop.
//!
//! Whether there are hooks is looked up for each event, after everything that is urgent: two directories that are empty or
//! not there cost a few microseconds, nothing is kept in memory or watched, and a new hook counts at once.

mod directory;
mod queue;

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tracing::{info, warn};
use usher_protocol::ids::Uid;

use crate::gather::gather;
use crate::programs::{self, Outcome};
use crate::witness::{Facts, Incident};
use queue::Queue;

/// Hooks that run at the same time, at most.
const AT_ONCE: usize = 4;
/// What the loop may be ahead of the one who sorts it.
const CAPACITY: usize = 1024;
/// Where hooks find programs.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Where incidents go in.
#[derive(Debug, Clone)]
pub(crate) struct Hooks {
    incidents: mpsc::Sender<Incident>,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    /// HookTimeoutSec, in milliseconds.
    limit: AtomicU64,
    dropped: AtomicU64,
}

impl Hooks {
    /// To be called inside a tokio runtime.
    pub(crate) fn start(limit: Duration) -> Self {
        let (incidents, inbox) = mpsc::channel(CAPACITY);
        let shared = Arc::new(Shared { limit: AtomicU64::new(0), dropped: AtomicU64::new(0) });
        let hooks = Self { incidents, shared: shared.clone() };
        hooks.reconfigure(limit);
        let runner =
            Runner { queue: Queue::default(), running: JoinSet::new(), refused: BTreeSet::new(), shared };
        tokio::spawn(runner.run(inbox));
        hooks
    }

    /// Changes how long those may run that are started from now on.
    pub(crate) fn reconfigure(&self, limit: Duration) {
        self.shared.limit.store(u64::try_from(limit.as_millis()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// Has hooks run for something, some time; never waits.
    pub(crate) fn push(&self, incident: Incident) {
        if let Err(mpsc::error::TrySendError::Full(incident)) = self.incidents.try_send(incident) {
            self.shared.dropped(&incident);
        }
    }
}

impl Shared {
    fn limit(&self) -> Duration {
        Duration::from_millis(self.limit.load(Ordering::Relaxed))
    }

    /// Says so for the first, the second, the fourth and so on: a log that is flooded helps nobody.
    fn dropped(&self, incident: &Incident) {
        let count = self.dropped.fetch_add(1, Ordering::Relaxed) + 1;
        if count.is_power_of_two() {
            warn!(
                "hooks are too slow for what happens: {} is dropped, {count} events in all; look for hooks that hang, \
                 or lower HookTimeoutSec= in /etc/usher/usher.conf",
                described(incident)
            );
        }
    }
}

/// Whoever runs hooks.
struct Runner {
    queue: Queue,
    running: JoinSet<Uid>,
    /// Files that were complained about.
    refused: BTreeSet<PathBuf>,
    shared: Arc<Shared>,
}

impl Runner {
    async fn run(mut self, mut inbox: mpsc::Receiver<Incident>) {
        let mut incidents = Vec::new();
        loop {
            tokio::select! {
                count = inbox.recv_many(&mut incidents, CAPACITY) => {
                    if count == 0 {
                        return;
                    }
                    // Whoever logs in has the answer first.
                    gather(&mut inbox, &mut incidents, CAPACITY, |_| false).await;
                    self.sort(std::mem::take(&mut incidents));
                }
                Some(done) = self.running.join_next() => {
                    if let Ok(uid) = done {
                        self.queue.done(uid);
                    }
                }
            }
            while self.running.len() < AT_ONCE
                && let Some(incident) = self.queue.next()
            {
                self.begin(incident);
            }
        }
    }

    fn sort(&mut self, incidents: Vec<Incident>) {
        if directory::is_empty() {
            return;
        }
        for incident in incidents {
            if let Err(incident) = self.queue.push(incident) {
                self.shared.dropped(&incident);
            }
        }
    }

    fn begin(&mut self, incident: Incident) {
        let listing = directory::list();
        // Those that were set right may be complained about anew.
        self.refused.retain(|path| listing.refused.iter().any(|(refused, _)| refused == path));
        for (path, why) in listing.refused {
            if self.refused.insert(path.clone()) {
                warn!("hook {} is not run: {why}", path.display());
            }
        }
        let limit = self.shared.limit();
        self.running.spawn(async move {
            for hook in listing.hooks {
                run(&hook, &incident, limit).await;
            }
            incident.uid
        });
    }
}

/// Runs one hook for one incident. What goes wrong is told, and the next one runs all the same.
async fn run(hook: &Path, incident: &Incident, limit: Duration) {
    let mut command = Command::new(hook);
    command.env_clear().envs(environment(incident)).current_dir("/");
    let name = hook.display();
    let what = described(incident);
    let outcome = match directory::is_program(hook) {
        Ok(true) => programs::run(command, limit, |line| info!("hook {name}, {what}: {line}")).await,
        Ok(false) => Err(rustix::io::Errno::NOEXEC.into()),
        Err(error) => Err(error),
    };
    match outcome {
        Ok(Outcome::Ended(status)) if status.success() => {}
        Ok(Outcome::Ended(status)) => warn!("hook {name} has failed for {what}: {status}"),
        Ok(Outcome::Killed) => warn!(
            "hook {name} has not ended within {} ms (HookTimeoutSec=) for {what}, and is killed",
            limit.as_millis()
        ),
        Ok(Outcome::Stuck) => warn!("hook {name} does not go away for {what}, not even when killed"),
        Err(error) => warn!("hook {name} cannot be run for {what}: {error}; has it a #! line?"),
    }
}

/// What an incident is called in the log.
fn described(incident: &Incident) -> String {
    let Incident { kind, uid, user, session } = incident;
    let kind = kind.as_str();
    match session {
        Some(facts) => format!("{kind} of session {} of {user} ({uid})", facts.id),
        None => format!("{kind} of {user} ({uid})"),
    }
}

/// All that a hook is told. What does not apply is not set.
fn environment(incident: &Incident) -> Vec<(&'static str, OsString)> {
    let mut variables: Vec<(&str, OsString)> = vec![
        ("PATH", PATH.into()),
        ("USHER_EVENT", incident.kind.as_str().into()),
        ("USHER_UID", incident.uid.to_string().into()),
        ("USHER_USER", (&*incident.user).into()),
    ];
    let runtime_dir = incident.uid.runtime_path();
    if Path::new(&runtime_dir).is_dir() {
        variables.push(("XDG_RUNTIME_DIR", runtime_dir.into()));
    }
    let Some(facts) = &incident.session else { return variables };
    let Facts { id, class, kind, seat, vtnr, service, tty, display, remote_host, remote_user, .. } = &**facts;
    let vtnr = if *vtnr == 0 { String::new() } else { vtnr.to_string() };
    let told = [
        ("USHER_SESSION", id.as_str()),
        ("USHER_CLASS", class.as_str()),
        ("USHER_TYPE", kind.as_str()),
        ("USHER_SERVICE", service),
        ("USHER_SEAT", seat),
        ("USHER_VTNR", &vtnr),
        ("USHER_TTY", tty),
        ("USHER_DISPLAY", display),
        ("USHER_REMOTE", if facts.remote { "1" } else { "0" }),
        ("USHER_REMOTE_HOST", remote_host),
        ("USHER_REMOTE_USER", remote_user),
    ];
    // execve(2) takes no NUL; nor does PAM, where these come from.
    let told = told.into_iter().filter(|(_, value)| !value.is_empty() && !value.contains('\0'));
    variables.extend(told.map(|(name, value)| (name, value.into())));
    variables
}
