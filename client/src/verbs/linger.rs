//! enable-linger and disable-linger.

use anyhow::Context as _;
use usher_protocol::messages::{Call, LingerRequest};

use super::Context;
use crate::accounts;

pub(super) fn set(context: &mut Context<'_>, words: &[String], linger: bool) -> anyhow::Result<()> {
    let doing = if linger { "Could not enable linger" } else { "Could not disable linger" };
    let caller = [String::new()];
    let words = if words.is_empty() { &caller } else { words };
    for word in words {
        // An empty word is the caller, as no word is.
        let uid = if word.is_empty() { None } else { Some(accounts::resolve(word)?) };
        let call = Call::SetLinger(LingerRequest { uid, linger });
        context.broker.act(&call).context(doing)?;
    }
    Ok(())
}
