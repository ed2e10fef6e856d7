//! show-session, show-user and show-seat: properties, for scripts.

use anyhow::Context as _;

use super::Context;
use crate::render::properties::{self, Properties};

pub(super) fn sessions(context: &mut Context<'_>, words: &[String]) -> anyhow::Result<()> {
    if words.is_empty() {
        return manager(context);
    }
    for (index, word) in words.iter().enumerate() {
        let session = context.session(word)?;
        print(context, index, properties::session(&session))?;
    }
    Ok(())
}

pub(super) fn users(context: &mut Context<'_>, words: &[String]) -> anyhow::Result<()> {
    if words.is_empty() {
        return manager(context);
    }
    for (index, word) in words.iter().enumerate() {
        let user = context.user(Some(word))?;
        print(context, index, properties::user(&user))?;
    }
    Ok(())
}

pub(super) fn seats(context: &mut Context<'_>, words: &[String]) -> anyhow::Result<()> {
    if words.is_empty() {
        return manager(context);
    }
    for (index, word) in words.iter().enumerate() {
        let seat = context.seat(word)?;
        print(context, index, properties::seat(&seat))?;
    }
    Ok(())
}

/// usherd's own properties: with no argument all three verbs show these (loginctl(1)).
fn manager(context: &mut Context<'_>) -> anyhow::Result<()> {
    let manager = context.broker.manager().context("Failed to get usherd's properties")?;
    print(context, 0, properties::manager(&manager))
}

/// One object's properties; status verbs print the same as JSON.
pub(super) fn print(context: &mut Context<'_>, index: usize, object: Properties) -> anyhow::Result<()> {
    if let Some(pretty) = context.json() {
        let chosen = object.chosen(context.options);
        return context.print_json(&chosen, pretty);
    }
    context.separate(index);
    context.out.push_str(&object.to_text(context.options, &context.now.zone));
    Ok(())
}
