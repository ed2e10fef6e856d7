//! pam_sm_close_session: the session that this handle opened, and no other, is over.

use std::ffi::c_int;

use usher_protocol::blocking::CallError;
use usher_protocol::messages::Refusal;

use crate::broker::Broker;
use crate::pam::{Code, OwnSession, Pam, Severity};
use crate::text::printable;

/// What pam_end(3) adds to its status (`_pam_modules.h`): free the memory and do nothing else, because this is a copy of the
/// process; or, the data is being replaced.
const ONLY_MEMORY: c_int = 0x4000_0000 | 0x2000_0000;

/// Tells usherd, if there is anything to tell. Nothing is lost where that fails: a session ends with its leader, too.
pub(crate) fn close(pam: &mut impl Pam, broker: &Broker) -> Code {
    let Some(session) = pam.session() else {
        return Code::SUCCESS;
    };
    // Once: a second close of the same handle has nothing left to say.
    let _ = pam.set_session(None);
    tell(pam, &session, broker)
}

/// Whether a login that ends with this status of pam_end(3) has been given up with its session still open. A module after
/// this one has refused: then the application need not close, and if it lives on, nothing else ends the session.
pub(crate) fn is_given_up(session: &OwnSession, status: c_int) -> bool {
    // A child that ends its copy of the handle says nothing about its parent's session.
    status & ONLY_MEMORY == 0 && status != Code::SUCCESS.0 && session.opener == std::process::id()
}

/// Closes the session of a login that was given up.
pub(crate) fn give_up(pam: &impl Pam, session: &OwnSession, broker: &Broker) -> Code {
    tell(pam, session, broker)
}

fn tell(pam: &impl Pam, session: &OwnSession, broker: &Broker) -> Code {
    let Err(trouble) = broker.close_session(session) else {
        return Code::SUCCESS;
    };
    let id = &session.id;
    let (line, code) = match &trouble.cause {
        // A helper that has dropped its privileges (systemd's "(sd-pam)") may not where it has no good token, and need not.
        CallError::Refused(Refusal::AccessDenied { .. }) if !rustix::process::geteuid().is_root() => {
            return Code::SUCCESS;
        }
        CallError::Refused(refusal) => {
            (format!("usherd does not close session {id}: {refusal}"), Code::SESSION_ERR)
        }
        _ => {
            let advice = trouble.advice();
            (format!("{trouble}; session {id} ends with its leader process; {advice}"), Code::SUCCESS)
        }
    };
    pam.log(Severity::Error, &printable(&line, 600));
    code
}
