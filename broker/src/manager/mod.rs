//! User managers: how one is started, watched and stopped. When and whether is the model's business.

mod backend;
pub(crate) mod notify;
mod realm;
mod supervise;
mod words;

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, PipeReader, PipeWriter, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::sync::Arc;

use tokio::sync::mpsc;
use tracing::{debug, warn};
use usher_model::{Account, Generation};
use usher_protocol::ids::{LeaderPid, Uid};

use crate::inbox::Broker;
use crate::sys::cgroup::CgroupRoot;
use crate::sys::pidfd;
use crate::sys::spawn::spawn_in_cgroup;
use crate::{config, crash};
use backend::Program;
use notify::Readiness;
use realm::Realm;
use supervise::{Order, Supervised};
pub(crate) use words::Words;

/// Ends what is in the cgroup of a user's manager when there is no manager, and removes it, and the readiness socket.
/// Nothing is there, as a rule; but an usherd that could not write its files, for want of space, may have left a manager
/// that nobody knows, and one that was killed while it started one, the socket.
pub(crate) async fn clear(uid: Uid, cgroups: Option<Arc<CgroupRoot>>) {
    Realm::new(cgroups).clear_strangers(uid).await;
    notify::remove_leftover(uid);
    words::remove_leftover(uid);
}

/// The managers that run, one a user.
pub(crate) struct Managers {
    broker: Broker,
    realm: Realm,
    backend: config::Manager,
    running: HashMap<Uid, Running>,
    words: Words,
}

struct Running {
    generation: Generation,
    /// Where the launcher waits for the word that it is on file.
    launcher: Option<PipeWriter>,
    orders: mpsc::UnboundedSender<Order>,
}

impl Managers {
    pub(crate) fn new(
        broker: Broker,
        cgroups: Option<Arc<CgroupRoot>>,
        backend: config::Manager,
        words: Words,
    ) -> Self {
        Self { broker, realm: Realm::new(cgroups), backend, running: HashMap::new(), words }
    }

    /// Changes what is started from now on.
    pub(crate) fn reconfigure(&mut self, backend: config::Manager) {
        self.backend = backend;
    }

    /// Starts a user's manager and watches it from then on.
    pub(crate) fn start(&mut self, account: &Account, generation: Generation) -> Result<LeaderPid, String> {
        let uid = account.uid;
        let program = backend::program(&self.backend, self.realm.exists())?;
        // Whatever an earlier run has left there would be a second manager's.
        self.realm.kill_strangers(uid);
        let cgroup = self
            .realm
            .prepare(uid, account.gid)
            .map_err(|error| format!("cannot prepare its cgroup: {error}"))?;
        crash::point(crash::MANAGER_CGROUP_MADE);
        let readiness = Readiness::bind(uid, account.gid)
            .map_err(|error| format!("cannot make its readiness socket: {error}"))?;
        crash::point(crash::READINESS_BOUND);
        let (waits, launcher) = io::pipe().map_err(|error| format!("cannot make a pipe: {error}"))?;
        let output = match self.words.listen(uid, account.gid) {
            Ok(output) => Some(output),
            Err(error) => {
                warn!(%uid, %error, "what the user manager says goes to usherd's own output, and user-status has none of it");
                None
            }
        };
        let (pid, fd) = spawn(account, &program, cgroup.as_deref(), &readiness, waits, output)
            .map_err(|error| format!("cannot run {}: {error}", backend::LAUNCHER))?;
        crash::point(crash::MANAGER_SPAWNED);
        // Not reaped yet, so the number is its own.
        let main =
            pidfd::leader_of(pid).map_err(|error| format!("lost it right after its start: {error}"))?;
        let supervised = Supervised { uid, generation, main, fd, is_child: true, readiness: Some(readiness) };
        self.supervise(supervised, Some(launcher));
        Ok(main)
    }

    /// Lets a manager that was started go on, now that the next usherd would find it on file. One that is started and
    /// not known to anybody would stay beside the one that the next usherd starts.
    pub(crate) fn go_ahead(&mut self, uid: Uid, generation: Generation) {
        let running = self.running.get_mut(&uid).filter(|running| running.generation == generation);
        if let Some(mut launcher) = running.and_then(|running| running.launcher.take()) {
            // A launcher that has died is its supervisor's business.
            let _ = launcher.write_all(b"\n");
            crash::point(crash::MANAGER_RELEASED);
        }
    }

    /// Watches a manager that an earlier usherd has started.
    pub(crate) fn adopt(&mut self, uid: Uid, gid: u32, generation: Generation, main: LeaderPid, ready: bool) {
        // If it has gone since it was found, supervising it says so at once.
        let Ok(Some(fd)) = pidfd::alive(main) else {
            let broker = self.broker.clone();
            let how = "it ended while usherd was restarted".to_owned();
            tokio::spawn(async move {
                broker.report(usher_model::Event::ManagerGone { uid, generation, how }).await;
            });
            return;
        };
        self.words.listen_again(uid);
        let readiness = if ready { None } else { Readiness::bind(uid, gid).ok() };
        self.supervise(Supervised { uid, generation, main, fd, is_child: false, readiness }, None);
    }

    fn supervise(&mut self, supervised: Supervised, launcher: Option<PipeWriter>) {
        let (orders, receiver) = mpsc::unbounded_channel();
        let running = Running { generation: supervised.generation, launcher, orders };
        self.running.insert(supervised.uid, running);
        tokio::spawn(supervise::supervise(supervised, receiver, self.broker.clone(), self.realm.clone()));
    }

    /// Asks a manager to stop.
    pub(crate) fn stop(&self, uid: Uid, generation: Generation) {
        self.order(uid, generation, Order::Stop);
    }

    /// Ends a manager and everything in its cgroup, and says why and whom.
    pub(crate) fn kill(&self, uid: Uid, generation: Generation, why: String) {
        self.order(uid, generation, Order::Kill { why });
    }

    /// Forgets a run that has ended.
    pub(crate) fn forget(&mut self, uid: Uid, generation: Generation) {
        if self.running.get(&uid).is_some_and(|running| running.generation == generation) {
            self.running.remove(&uid);
            words::remove_leftover(uid);
        }
    }

    /// Forgets what a user's managers have said.
    pub(crate) fn forget_words(&self, uid: Uid) {
        self.words.forget(uid);
    }

    fn order(&self, uid: Uid, generation: Generation, order: Order) {
        if let Some(running) = self.running.get(&uid).filter(|r| r.generation == generation) {
            // A supervisor that has gone has reported the manager gone, too.
            let _ = running.orders.send(order);
        }
    }
}

/// Starts the launcher, in its cgroup where that is possible; else it moves there itself. Its standard input is where it
/// waits for the word to go on.
fn spawn(
    account: &Account,
    program: &Program,
    cgroup: Option<&Path>,
    readiness: &Readiness,
    stdin: PipeReader,
    output: Option<File>,
) -> io::Result<(u32, OwnedFd)> {
    if let Some(cgroup) = cgroup {
        let command = backend::command(account, program, None, &readiness.path());
        match spawn_in_cgroup(&command, cgroup, stdin.as_fd(), output.as_ref().map(AsFd::as_fd)) {
            Ok(child) => return Ok(child),
            Err(error) => debug!(%error, "cannot start the user manager in its cgroup: it will move there"),
        }
    }
    let mut command = backend::command(account, program, cgroup, &readiness.path());
    if let Some(output) = output {
        command.stdout(output.try_clone()?).stderr(output);
    }
    let child = command.stdin(stdin).spawn()?;
    Ok((child.id(), pidfd::open(child.id()).map_err(|error| error.source)?))
}
