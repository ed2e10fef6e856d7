//! terminate-session, terminate-user, terminate-seat, kill-session and kill-user.

use anyhow::Context as _;
use usher_protocol::ids::Uid;
use usher_protocol::messages::{Call, KillSessionRequest, KillUserRequest, SeatArg, SessionArg, UserArg};

use super::Context;
use crate::{accounts, cli};

const CANNOT_TERMINATE_SEAT: &str = "Could not terminate seat";

pub(super) fn terminate_sessions(context: &mut Context<'_>, words: &[String]) -> anyhow::Result<()> {
    for word in words {
        context
            .act_on_session(word, |session| Call::TerminateSession(SessionArg { session }))
            .context("Failed to issue method call")?;
    }
    Ok(())
}

pub(super) fn kill_sessions(context: &mut Context<'_>, words: &[String]) -> anyhow::Result<()> {
    let signal = cli::signal_of(context.options)?;
    let whom = context.options.kill_whom;
    for word in words {
        context
            .act_on_session(word, |session| Call::KillSession(KillSessionRequest { session, whom, signal }))
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

pub(super) fn terminate_seats(context: &mut Context<'_>, words: &[String]) -> anyhow::Result<()> {
    for word in words {
        let seat = context.seat_id(word).context(CANNOT_TERMINATE_SEAT)?;
        context.broker.act(&Call::TerminateSeat(SeatArg { seat })).context(CANNOT_TERMINATE_SEAT)?;
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

/// The user that a word stands for; an empty one is the caller.
fn user(word: &str) -> anyhow::Result<Uid> {
    if word.is_empty() { accounts::own() } else { accounts::resolve(word) }
}
