//! session-status and user-status: for people.

use usher_protocol::messages::{SessionView, UserView};

use super::{Context, show};
use crate::render::status::{self, Block};
use crate::render::{properties, tree};
use crate::{cgroup, terminal};

pub(super) fn sessions(context: &mut Context<'_>, words: &[String]) -> anyhow::Result<()> {
    let own = ["auto".to_owned()];
    let words = if words.is_empty() { &own } else { words };
    for (index, word) in words.iter().enumerate() {
        let session = context.session(word)?;
        print_session(context, index, &session)?;
    }
    Ok(())
}

pub(super) fn users(context: &mut Context<'_>, words: &[String]) -> anyhow::Result<()> {
    if words.is_empty() {
        let user = context.user(None)?;
        return print_user(context, 0, &user);
    }
    for (index, word) in words.iter().enumerate() {
        let user = context.user(Some(word))?;
        print_user(context, index, &user)?;
    }
    Ok(())
}

fn print_session(context: &mut Context<'_>, index: usize, session: &SessionView) -> anyhow::Result<()> {
    if context.json().is_some() {
        return show::print(context, index, properties::session(session));
    }
    let leader = cgroup::name(session.leader);
    let block = status::session(session, leader.as_deref(), &context.now);
    print_block(context, index, &block, session.control_group.as_deref());
    Ok(())
}

fn print_user(context: &mut Context<'_>, index: usize, user: &UserView) -> anyhow::Result<()> {
    if context.json().is_some() {
        return show::print(context, index, properties::user(user));
    }
    let block = status::user(user, &context.now);
    print_block(context, index, &block, user.control_group.as_deref());
    Ok(())
}

fn print_block(context: &mut Context<'_>, index: usize, block: &Block, control_group: Option<&str>) {
    context.separate(index);
    context.out.push_str(&block.to_text());
    let tree = control_group.and_then(|path| cgroup::read(&cgroup::mount()?, path));
    if let Some(tree) = tree {
        let columns = terminal::columns().filter(|_| !context.options.full);
        context.out.push_str(&tree::to_text(&tree, block.indent(), columns, context.options.all));
    }
}
