//! One manager's supervisor: waits for readiness, orders and the end; then clears the cgroup and reports.

use std::os::fd::OwnedFd;

use rustix::process::{Signal, WaitId, WaitIdOptions, waitid};
use tokio::sync::mpsc;
use tracing::{debug, warn};
use usher_model::{Event, Generation};
use usher_protocol::ids::{LeaderPid, Uid};

use super::notify::Readiness;
use super::realm::Realm;
use crate::inbox::Broker;
use crate::sys::{self, pidfd};

/// What a supervisor is told to do.
#[derive(Debug, Clone, Copy)]
pub(super) enum Order {
    /// Ask the manager to stop: SIGTERM, on which systemd starts its exit.target (systemd(1), "Signals").
    Stop,
    /// Kill everything in its cgroup.
    Kill,
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
    pub(super) readiness: Option<Readiness>,
}

/// Watches a manager to its end.
pub(super) async fn supervise(
    supervised: Supervised,
    mut orders: mpsc::UnboundedReceiver<Order>,
    broker: Broker,
    realm: Realm,
) {
    let Supervised { uid, generation, main, fd, is_child, mut readiness } = supervised;
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
    loop {
        tokio::select! {
            _ = exit.wait() => break,
            Some(order) = orders.recv() => match order {
                Order::Stop => stop(&fd, uid),
                Order::Kill => kill(&fd, uid, &realm),
            },
            () = becomes_ready(readiness.as_ref(), main.pid) => {
                readiness = None;
                broker.report(Event::ManagerReady { uid, generation }).await;
            }
        }
    }
    drop(readiness);
    let how = if is_child { reap(&fd) } else { "its process is gone".to_owned() };
    realm.clear(uid).await;
    broker.report(Event::ManagerGone { uid, generation, how }).await;
}

async fn becomes_ready(readiness: Option<&Readiness>, main: u32) {
    match readiness {
        Some(readiness) => readiness.ready(main).await,
        None => std::future::pending().await,
    }
}

fn stop(fd: &OwnedFd, uid: Uid) {
    if let Err(error) = pidfd::signal(fd, Signal::TERM.as_raw()) {
        debug!(%uid, %error, "user manager has gone before it was asked to stop");
    }
}

fn kill(fd: &OwnedFd, uid: Uid, realm: &Realm) {
    realm.kill(uid);
    // Without cgroups there is only the main process to kill.
    let _ = pidfd::signal(fd, Signal::KILL.as_raw());
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
