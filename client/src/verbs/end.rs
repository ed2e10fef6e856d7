//! terminate-session, terminate-user, kill-session and kill-user.

use anyhow::Context as _;
use usher_protocol::ids::{SessionId, Uid};
use usher_protocol::messages::{Call, KillSessionRequest, KillUserRequest, SessionArg, UserArg};

use super::Context;
use crate::{accounts, cli};

pub(super) fn terminate_sessions(context: &mut Context<'_>, words: &[String]) -> anyhow::Result<()> {
    for word in words {
        act_on_session(context, word, |session| Call::TerminateSession(SessionArg { session }))
            .context("Failed to issue method call")?;
    }
    Ok(())
}

pub(super) fn kill_sessions(context: &mut Context<'_>, words: &[String]) -> anyhow::Result<()> {
    let signal = cli::signal_of(context.options)?;
    let whom = context.options.kill_whom;
    for word in words {
        act_on_session(context, word, |session| {
            Call::KillSession(KillSessionRequest { session, whom, signal })
        })
        .context("Could not kill session")?;
    }
    Ok(())
}

pub(super) fn terminate_users(context: &mut Context<'_>, words: &[String]) -> anyhow::Result<()> {
    for word in words {
        let call = Call::TerminateUser(UserArg { uid: user(word)? });
        context.broker.act(&call).context("Could not terminate user")?;
    }
    Ok(())
}

pub(super) fn kill_users(context: &mut Context<'_>, words: &[String]) -> anyhow::Result<()> {
    let signal = cli::signal_of(context.options)?;
    for word in words {
        let call = Call::KillUser(KillUserRequest { uid: user(word)?, signal });
        context.broker.act(&call).context("Could not kill user")?;
    }
    Ok(())
}

fn act_on_session(
    context: &mut Context<'_>,
    word: &str,
    call: impl FnOnce(SessionId) -> Call,
) -> anyhow::Result<()> {
    let session = context.session_id(word)?;
    context.broker.act(&call(session))
}

/// The user that a word stands for; an empty one is the caller.
fn user(word: &str) -> anyhow::Result<Uid> {
    if word.is_empty() { accounts::own() } else { accounts::resolve(word) }
}
