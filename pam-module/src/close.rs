//! pam_sm_close_session: the session that this handle opened, and no other, is over.

use usher_protocol::blocking::CallError;
use usher_protocol::messages::Refusal;

use crate::broker::Broker;
use crate::pam::{Code, Pam, Severity};
use crate::text::printable;

/// Tells usherd, if there is anything to tell. Nothing is lost where that fails: a session ends with its leader, too.
pub(crate) fn close(pam: &mut impl Pam, broker: &Broker) -> Code {
    let Some(session) = pam.session() else {
        return Code::SUCCESS;
    };
    // Once: a second close of the same handle has nothing left to say.
    let _ = pam.set_session(None);
    let Err(trouble) = broker.close_session(session.clone()) else {
        return Code::SUCCESS;
    };
    let (line, code) = match &trouble.cause {
        // A helper that has dropped its privileges (systemd's "(sd-pam)") may not, and need not.
        CallError::Refused(Refusal::AccessDenied { .. }) if !rustix::process::geteuid().is_root() => {
            return Code::SUCCESS;
        }
        CallError::Refused(refusal) => {
            (format!("usherd does not close session {session}: {refusal}"), Code::SESSION_ERR)
        }
        _ => {
            let advice = trouble.advice();
            (format!("{trouble}; session {session} ends with its leader process; {advice}"), Code::SUCCESS)
        }
    };
    pam.log(Severity::Error, &printable(&line, 600));
    code
}
