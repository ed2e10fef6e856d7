//! Asking a manager to stop: by a signal or a command, and, where its definition wants that, waiting for what it leaves.

use std::os::fd::OwnedFd;
use std::process::Stdio;
use std::time::Duration;

use tokio::sync::mpsc;
use tracing::{debug, warn};
use usher_protocol::ids::Uid;

use super::backend::Plan;
use super::realm::Realm;
use super::supervise::Order;
use crate::config::Stop;
use crate::crash;
use crate::sys::pidfd;

/// How often those are looked for who are waited for.
const PAUSE: Duration = Duration::from_millis(20);

/// Asks it.
pub(super) fn ask(fd: &OwnedFd, main: u32, plan: &Plan, realm: &Realm) {
    match &plan.definition.stop {
        Stop::Signal(signal) => send(fd, *signal, plan.account.uid),
        Stop::Command(words) => run(words, fd, main, plan, realm),
    }
    crash::point(crash::MANAGER_TOLD_TO_STOP);
}

fn send(fd: &OwnedFd, signal: i32, uid: Uid) {
    if let Err(error) = pidfd::signal(fd, signal) {
        debug!(%uid, %error, "user manager has gone before it was asked to stop");
    }
}

/// Runs the command as the user. One that fails has not asked, so SIGTERM does; one that hangs goes with the manager's cgroup.
fn run(words: &[String], fd: &OwnedFd, main: u32, plan: &Plan, realm: &Realm) {
    let uid = plan.account.uid;
    let term = rustix::process::Signal::TERM.as_raw();
    let mut command: tokio::process::Command =
        plan.stop_command(words, realm.inner(uid).as_deref(), main).into();
    let name = words.first().cloned().unwrap_or_default();
    let failed = move |fd: &OwnedFd, why: String| {
        warn!(%uid, "Stop={name} of the user manager failed, SIGTERM is sent instead: {why}");
        send(fd, term, uid);
    };
    match (command.stdin(Stdio::null()).spawn(), fd.try_clone()) {
        (Ok(mut child), Ok(fd)) => {
            tokio::spawn(async move {
                match child.wait().await {
                    Ok(status) if status.success() => {}
                    Ok(status) => failed(&fd, status.to_string()),
                    Err(error) => failed(&fd, error.to_string()),
                }
            });
        }
        (Err(error), _) | (_, Err(error)) => failed(fd, error.to_string()),
    }
}

/// Asks what the manager has left to end, as runsvdir has asked its services, but not what those have left behind; and
/// waits until nothing is left, or until that is to be killed. Whether it was, in which case those who were hit have been
/// named.
pub(super) async fn wait_for_all(
    uid: Uid,
    orders: &mut mpsc::UnboundedReceiver<Order>,
    realm: &Realm,
) -> bool {
    realm.terminate(uid);
    loop {
        let left = realm.survivors(uid).without_keeper();
        if left.is_empty() {
            return false;
        }
        tokio::select! {
            order = orders.recv() => match order {
                Some(Order::Kill { why }) => {
                    warn!(%uid, "{why}: {left}");
                    return true;
                }
                Some(Order::GoAhead | Order::Stop) => {}
                None => return false,
            },
            () = tokio::time::sleep(PAUSE) => {}
        }
    }
}
