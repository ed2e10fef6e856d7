//! activate, lock-session, unlock-session, lock-sessions and unlock-sessions.

use anyhow::Context as _;
use usher_protocol::messages::{Call, SessionArg};

use super::Context;

pub(super) fn activate(context: &mut Context<'_>, word: Option<&str>) -> anyhow::Result<()> {
    context
        .act_on_session(word.unwrap_or("auto"), |session| Call::ActivateSession(SessionArg { session }))
        .context("Failed to issue method call")
}

pub(super) fn lock(context: &mut Context<'_>, words: &[String], lock: bool) -> anyhow::Result<()> {
    let own = ["auto".to_owned()];
    let words = if words.is_empty() { &own } else { words };
    for word in words {
        let call = |session| match lock {
            true => Call::LockSession(SessionArg { session }),
            false => Call::UnlockSession(SessionArg { session }),
        };
        context.act_on_session(word, call).context("Failed to issue method call")?;
    }
    Ok(())
}

pub(super) fn lock_all(context: &mut Context<'_>, lock: bool) -> anyhow::Result<()> {
    let call = if lock { Call::LockSessions } else { Call::UnlockSessions };
    // loginctl's words for both.
    context.broker.act(&call).context("Could not lock sessions")
}
