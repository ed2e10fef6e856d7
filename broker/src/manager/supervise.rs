//! One manager's supervisor: waits for readiness, orders and the end; then clears the cgroup and reports.

use std::io::{PipeWriter, Write};
use std::os::fd::OwnedFd;
use std::pin::pin;
use std::time::Duration;

use rustix::process::{Signal, WaitId, WaitIdOptions, waitid};
use tokio::sync::mpsc;
use tracing::warn;
use usher_model::{Event, Generation};
use usher_protocol::ids::{LeaderPid, Uid};

use super::backend::{self, Plan};
use super::fifo::Fifo;
use super::notify::Readiness;
use super::realm::Realm;
use super::stop;
use crate::crash;
use crate::inbox::Broker;
use crate::scopes::AFTER_KILL;
use crate::sys::spawn::Execution;
use crate::sys::{self, pidfd};

/// What a supervisor is told to do.
#[derive(Debug)]
pub(super) enum Order {
    /// It is on file: let it go on.
    GoAhead,
    /// Ask the manager to stop as its definition says: by SIGTERM, on which systemd starts its exit.target (systemd(1),
    /// "Signals"), for instance.
    Stop,
    /// Kill everything in its cgroup.
    Kill {
        /// What is told about it; the names of the processes follow.
        why: String,
    },
}

/// How far a manager's end has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// Nobody has asked for it.
    Unasked,
    /// It was asked to stop.
    Asked,
    /// It was killed, and those who were hit have been named.
    Killed,
}

/// A manager that runs.
#[derive(Debug)]
pub(super) struct Supervised {
    pub(super) uid: Uid,
    pub(super) generation: Generation,
    pub(super) main: LeaderPid,
    pub(super) fd: OwnedFd,
    /// Whether this usherd has started it, and so must reap it.
    pub(super) is_child: bool,
    pub(super) readiness: Option<Said>,
    pub(super) plan: Plan,
    /// Where the launcher waits for the word that it is on file.
    pub(super) launcher: Option<PipeWriter>,
    /// Whether the child has become the launcher; nothing where that is known.
    pub(super) execution: Option<Execution>,
}

/// What a manager says that it is ready with.
#[derive(Debug)]
pub(super) enum Said {
    Notify(Readiness),
    Line(Fifo),
}

impl Said {
    fn remove(self) {
        match self {
            Self::Notify(socket) => drop(socket),
            Self::Line(fifo) => fifo.remove(),
        }
    }
}

/// Watches a manager to its end.
pub(super) async fn supervise(
    supervised: Supervised,
    mut orders: mpsc::UnboundedReceiver<Order>,
    broker: Broker,
    realm: Realm,
) {
    let Supervised { uid, generation, main, fd, is_child, mut readiness, plan, mut launcher, mut execution } =
        supervised;
    report_times(&broker, uid, generation, &plan).await;
    let exit = match sys::Readiness::of(&fd) {
        Ok(exit) => exit,
        Err(error) => {
            // Not watched means not known: it is ended and reported, so that nobody waits for it.
            warn!(%uid, %error, "cannot watch the user manager: it is ended");
            realm.kill(uid);
            let how = format!("it could not be watched: {error}");
            return broker.report(Event::ManagerGone { uid, generation, how }).await;
        }
    };
    let mut end = End::Unasked;
    let mut overdue = pin!(pending_or_after(None));
    loop {
        tokio::select! {
            _ = exit.wait() => break,
            Some(order) = orders.recv() => match order {
                Order::GoAhead => {
                    if let Some(mut launcher) = launcher.take() {
                        // A launcher that has died is noticed here, too.
                        let _ = launcher.write_all(b"\n");
                        crash::point(crash::MANAGER_RELEASED);
                    }
                }
                Order::Stop => {
                    end = End::Asked;
                    // One that still waits to go on would never hear of it.
                    launcher = None;
                    stop::ask(&fd, main.pid, &plan, &realm);
                }
                Order::Kill { why } => {
                    end = End::Killed;
                    warn!(%uid, "{why}: {}", named(uid, main.pid, &realm));
                    kill(&fd, uid, &realm);
                    overdue.set(pending_or_after(Some(AFTER_KILL)));
                }
            },
            () = &mut overdue => {
                // The kernel itself holds it; the user waits for it, others do not.
                let left = named(uid, main.pid, &realm);
                warn!(%uid, "user manager does not go away, not even when killed: {left}");
                overdue.set(pending_or_after(None));
            }
            () = becomes_ready(readiness.as_ref(), main.pid) => {
                crash::point(crash::MANAGER_READY);
                execution = None;
                if let Some(said) = readiness.take() {
                    said.remove();
                }
                broker.report(Event::ManagerReady { uid, generation }).await;
            }
        }
    }
    crash::point(crash::MANAGER_ENDED);
    if let Some(said) = readiness {
        said.remove();
    }
    let how = if is_child { reap(&fd) } else { "its process is gone".to_owned() };
    let how = match execution.and_then(Execution::failure) {
        Some(error) => format!("cannot run {}: {error}", backend::LAUNCHER.display()),
        None => how,
    };
    if end == End::Asked
        && plan.definition.waits_for_all
        && stop::wait_for_all(uid, &mut orders, &realm).await
    {
        end = End::Killed;
    }
    let how = name_leftovers(uid, how, end, &realm);
    crash::point(crash::MANAGER_REAPED);
    realm.clear(uid).await;
    crash::point(crash::MANAGER_CLEARED);
    broker.report(Event::ManagerGone { uid, generation, how }).await;
}

/// The model's deadlines are the settings', unless a drop-in knows better.
async fn report_times(broker: &Broker, uid: Uid, generation: Generation, plan: &Plan) {
    let usec = |span: Duration| u64::try_from(span.as_micros()).unwrap_or(u64::MAX);
    let (start, stop) = (plan.unit.start_timeout.map(usec), plan.unit.stop_timeout.map(usec));
    broker.report(Event::ManagerTimes { uid, generation, start, stop }).await;
}

async fn becomes_ready(readiness: Option<&Said>, main: u32) {
    match readiness {
        Some(Said::Notify(readiness)) => readiness.ready(main).await,
        Some(Said::Line(fifo)) => fifo.ready().await,
        None => std::future::pending().await,
    }
}

async fn pending_or_after(time: Option<Duration>) {
    match time {
        Some(time) => tokio::time::sleep(time).await,
        None => std::future::pending().await,
    }
}

/// What a manager has left is killed with it, and named once: where its end is news, as a part of them.
fn name_leftovers(uid: Uid, how: String, end: End, realm: &Realm) -> String {
    if end == End::Killed {
        return how;
    }
    let left = realm.survivors(uid).without_keeper();
    if left.is_empty() {
        return how;
    }
    if end == End::Unasked {
        return format!("{how}, and what it left is killed: {left}");
    }
    warn!(%uid, "user manager has stopped, and what it left is killed: {left}");
    how
}

/// Who is hit when a manager is killed.
fn named(uid: Uid, main: u32, realm: &Realm) -> String {
    if realm.exists() { realm.survivors(uid).to_string() } else { format!("process {main}") }
}

fn kill(fd: &OwnedFd, uid: Uid, realm: &Realm) {
    realm.kill(uid);
    // Without cgroups there is only the main process to kill.
    let _ = pidfd::signal(fd, Signal::KILL.as_raw());
    crash::point(crash::MANAGER_KILLED);
}

/// Takes the exit status of a child, so that no zombie stays.
fn reap(fd: &OwnedFd) -> String {
    use std::os::fd::AsFd;
    match waitid(WaitId::PidFd(fd.as_fd()), WaitIdOptions::EXITED) {
        Ok(Some(status)) => match (status.exit_status(), status.terminating_signal()) {
            (Some(code), _) => format!("exit status {code}"),
            (None, Some(signal)) => format!("killed by signal {signal}"),
            (None, None) => "it ended".to_owned(),
        },
        Ok(None) => "it ended".to_owned(),
        Err(error) => format!("it ended, how is not known: {error}"),
    }
}
