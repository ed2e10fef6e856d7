//! CreateSession and CreateSessionWithPIDFD (contract/dbus.md section 4): a login that pam_systemd reports.

use std::os::fd::OwnedFd;

use usher_model::{Action, Event, check_access};
use usher_protocol::ids::SessionId;
use zbus::OwnedVariant;

use super::call::{Call, Reply};
use super::failure::Failure;
use super::manager::check_pid;
use super::path::path_of_session;
use crate::fifos;
use crate::opening::{OpenError, Wish, session_class, session_type};
use crate::sys::pidfd;

/// The properties that a caller wants the session's scope to have. usher sets no limits on cgroups: they are read and left.
type ScopeProperties = Vec<(String, OwnedVariant)>;

/// Uid, leader, service, type, class, desktop, seat, VT, terminal, display, remote, remote user, remote host.
type Arguments<L> =
    (u32, L, String, String, String, String, String, u32, String, String, bool, String, String);

/// CreateSession. 0 is the caller; where the bus says which process that is by number only, the number has to do, as it has
/// for every one that a caller names: only root can.
pub(super) async fn by_pid(call: &Call) -> Reply {
    check_caller(call)?;
    type All = (
        u32,
        u32,
        String,
        String,
        String,
        String,
        String,
        u32,
        String,
        String,
        bool,
        String,
        String,
        ScopeProperties,
    );
    let (uid, pid, a, b, c, d, e, f, g, h, i, j, k, properties): All = call.arguments()?;
    check_pid(pid)?;
    let pid = if pid == 0 { call.caller.pid } else { pid };
    let leader = pidfd::open(pid).map_err(|_| no_such_process())?;
    create(call, (uid, leader, a, b, c, d, e, f, g, h, i, j, k), properties).await
}

/// CreateSessionWithPIDFD.
pub(super) async fn by_pidfd(call: &Call) -> Reply {
    check_caller(call)?;
    type All = (
        u32,
        zbus::OwnedFd,
        String,
        String,
        String,
        String,
        String,
        u32,
        String,
        String,
        bool,
        String,
        String,
        u64,
        ScopeProperties,
    );
    let (uid, leader, a, b, c, d, e, f, g, h, i, j, k, flags, properties): All = call.arguments()?;
    if flags != 0 {
        return Err(Failure::invalid("Flags must be zero"));
    }
    create(call, (uid, leader.into(), a, b, c, d, e, f, g, h, i, j, k), properties).await
}

/// Before anything of what it says is looked at.
fn check_caller(call: &Call) -> Result<(), Failure> {
    Ok(check_access(call.caller.uid, Action::Open, call.caller.uid)?)
}

async fn create(call: &Call, arguments: Arguments<OwnedFd>, properties: ScopeProperties) -> Reply {
    let (
        uid,
        leader,
        service,
        kind,
        class,
        desktop,
        seat,
        vtnr,
        tty,
        display,
        remote,
        remote_user,
        remote_host,
    ) = arguments;
    if !properties.is_empty() {
        let names: Vec<_> = properties.iter().map(|(name, _)| name.as_str()).collect();
        tracing::warn!(uid, %service, "limits of the session's cgroup are not set, usherd cannot yet: {}", names.join(", "));
    }
    let wish = Wish {
        uid,
        service,
        kind: session_type(&kind)?,
        class: session_class(&class)?,
        desktop,
        seat,
        vtnr,
        tty,
        display,
        remote,
        remote_user,
        remote_host,
    };
    let opener = call.link.facade.service.opener();
    let opened = opener.open(wish, leader, call.caller.uid).await?;
    let fifo = match hold_open(call, opened.id.clone()).await {
        Ok(fifo) => fifo,
        Err(failure) => {
            opener.take_back(opened.id).await;
            return Err(failure);
        }
    };
    call.reply(&(
        opened.id.as_str(),
        path_of_session(&opened.id),
        opened.runtime_path,
        zbus::Fd::from(fifo),
        opened.uid.get(),
        opened.seat.map(String::from).unwrap_or_default(),
        opened.vtnr.map_or(0, |vtnr| vtnr.get()),
        // A session that is there already is an error.
        false,
    ))
}

/// The descriptor that holds the session open.
async fn hold_open(call: &Call, session: SessionId) -> Result<OwnedFd, Failure> {
    let id = session.clone();
    call.request(move |request| Event::AttachFifo { request, session }).await?;
    fifos::open_for_writing(&id).map_err(|error| Failure::standard("Failed", error.to_string()))
}

fn no_such_process() -> Failure {
    Failure::standard("UnixProcessIdUnknown", "No such process")
}

impl From<OpenError> for Failure {
    fn from(error: OpenError) -> Self {
        let message = error.to_string();
        match error {
            OpenError::NotPermitted(_) => Self::denied(message),
            OpenError::InvalidArgs { .. } => Self::invalid(message),
            OpenError::NoSuchSeat(_) => Self::login1("NoSuchSeat", message),
            OpenError::AlreadyMember => {
                Self::login1("SessionBusy", "Already running in a session or user slice")
            }
            OpenError::VtTaken(_) => Self::login1("SessionBusy", message),
            OpenError::LimitsExceeded(_) => Self::standard("LimitsExceeded", message),
            OpenError::NoSuchProcess(_) => no_such_process(),
            OpenError::Failed(_) => Self::standard("Failed", message),
        }
    }
}
