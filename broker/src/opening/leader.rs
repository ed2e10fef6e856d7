//! A process that is to lead a session, and what the kernel says of it.

use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

use usher_model::Model;
use usher_protocol::ids::{LeaderPid, SessionId, VtNr};
use usher_protocol::messages::{Refusal, SessionRequest};

use super::OpenError;
use crate::inbox::Broker;
use crate::sys::cgroup::{self, CgroupRoot};
use crate::sys::pidfd;

/// A process that is to lead a session.
#[derive(Debug)]
pub(crate) struct Leader {
    pub(crate) process: LeaderPid,
    pub(crate) pidfd: OwnedFd,
}

impl Leader {
    /// The process that a pidfd stands for.
    ///
    /// # Errors
    /// [`OpenError::NoSuchProcess`]: it has exited. [`OpenError::InvalidArgs`]: the descriptor is no pidfd, or is that of a
    /// process that leads no session: PID 1, usherd itself (contract/dbus.md section 4).
    pub(crate) fn of(pidfd: OwnedFd) -> Result<Self, OpenError> {
        let pid = pidfd::pid_of(&pidfd).map_err(|error| OpenError::invalid("PID", error.to_string()))?;
        if pid.is_some_and(|pid| pid == 1 || pid == std::process::id()) {
            return Err(OpenError::invalid("PID", "Invalid leader PID"));
        }
        Self::with_number(pidfd, pid).map_err(|error| {
            OpenError::NoSuchProcess(format!(
                "the process that is to lead the session cannot be identified: {error}"
            ))
        })
    }

    /// The same of a process whose number is known already; `None` if it has none in this pid namespace.
    ///
    /// # Errors
    /// It has exited.
    pub(crate) fn with_number(pidfd: OwnedFd, pid: Option<u32>) -> Result<Self, String> {
        let process = match pid {
            Some(pid) => pidfd::identify(pid, &pidfd).map_err(|error| error.to_string())?,
            None => pidfd::hidden(&pidfd),
        };
        // Looked at last: as it lives, its number was not somebody else's when /proc was read.
        if pidfd::has_exited(&pidfd) {
            return Err("it has gone".to_owned());
        }
        Ok(Self { process, pidfd })
    }

    /// The virtual terminal that it is controlled by; looked at only for a login that claims to be on one.
    pub(crate) fn console(&self, params: &SessionRequest) -> Option<VtNr> {
        params.claimed_vt().filter(|_| !self.process.is_hidden())?;
        pidfd::vt_of(self.process.pid, &self.pidfd)
    }

    /// The cgroup that it is in.
    pub(crate) fn cgroup(&self, cgroups: Option<&CgroupRoot>) -> Option<String> {
        match cgroups {
            Some(root) => root.cgroup_of(self.pidfd.as_fd(), self.process.pid),
            None => cgroup::cgroup_of(self.process.pid),
        }
    }
}

/// Where a process is that is to lead a session.
#[derive(Debug)]
pub(crate) struct Whereabouts {
    /// Its cgroup.
    pub(crate) origin: Option<String>,
    /// Whether the process that has started it is in that cgroup, too; not looked at where it makes no difference.
    pub(crate) shared: bool,
    /// The session in whose scope (or, where it has none, below whose leader) it is.
    pub(crate) inside: Option<SessionId>,
    /// Its audit session.
    pub(crate) audit: Option<u32>,
}

impl Whereabouts {
    /// Looks, from inside the loop; `origin` is its cgroup. One who holds the process's pidfd knows afterwards whether it was that
    /// process.
    pub(crate) fn of(
        process: LeaderPid,
        origin: Option<String>,
        model: &Model,
        cgroups: Option<&CgroupRoot>,
    ) -> Self {
        let mut shared = false;
        let inside = match (cgroups, &origin) {
            (Some(root), Some(path)) => match cgroup::session_of(path, root.pid1()) {
                None if model.has_sessions_elsewhere() => {
                    let ancestors: Vec<_> = pidfd::parents(process.pid).collect();
                    let parent = ancestors.iter().find(|ancestor| **ancestor != process);
                    shared = parent.and_then(|parent| cgroup::cgroup_of(parent.pid)).as_ref() == Some(path);
                    model.session_elsewhere_of(&ancestors)
                }
                session => session,
            },
            _ => pidfd::parents(process.pid).find_map(|ancestor| model.session_led_by(ancestor)),
        };
        Self { origin, shared, inside, audit: pidfd::audit_session(process.pid) }
    }

    /// The same from outside the loop.
    ///
    /// # Errors
    /// usherd is shutting down.
    pub(crate) async fn ask(
        leader: &Leader,
        broker: &Broker,
        cgroups: Option<&Arc<CgroupRoot>>,
    ) -> Result<Self, Refusal> {
        let (process, origin) = (leader.process, leader.cgroup(cgroups.map(Arc::as_ref)));
        let cgroups = cgroups.cloned();
        broker.query(move |model| Self::of(process, origin, model, cgroups.as_deref())).await
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn only_a_living_process_leads() {
        let mut child = Command::new("sleep").arg("1000").stdin(Stdio::null()).spawn().unwrap();
        let pidfd = || pidfd::open(child.id()).unwrap();
        let leader = Leader::of(pidfd()).unwrap();
        assert_eq!(leader.process, pidfd::leader_of(child.id()).unwrap());
        let (zombie, reaped) = (pidfd(), pidfd());
        child.kill().unwrap();
        while !pidfd::has_exited(&zombie) {
            std::thread::yield_now();
        }
        assert!(matches!(Leader::of(zombie), Err(OpenError::NoSuchProcess(_))));
        child.wait().unwrap();
        assert!(matches!(Leader::of(reaped), Err(OpenError::NoSuchProcess(_))));
    }

    #[test]
    fn neither_usherd_nor_pid_1_nor_a_file_leads() {
        let own = pidfd::open(std::process::id()).unwrap();
        let first = pidfd::open(1).unwrap();
        for fd in [own, first, File::open("/dev/null").unwrap().into()] {
            assert!(matches!(Leader::of(fd), Err(OpenError::InvalidArgs { parameter: "PID", .. })));
        }
    }
}
