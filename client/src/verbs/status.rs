//! session-status, user-status and seat-status: for people.

use usher_protocol::messages::{SeatView, SessionView, UserView};

use super::{Context, show};
use crate::render::status::{self, Block};
use crate::render::{properties, tree};
use crate::{cgroup, devices, terminal};

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

pub(super) fn seats(context: &mut Context<'_>, words: &[String]) -> anyhow::Result<()> {
    let own = ["auto".to_owned()];
    let words = if words.is_empty() { &own } else { words };
    for (index, word) in words.iter().enumerate() {
        let seat = context.seat(word)?;
        print_seat(context, index, &seat)?;
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
    context.out.push_str(&status::manager_log(user));
    Ok(())
}

fn print_seat(context: &mut Context<'_>, index: usize, seat: &SeatView) -> anyhow::Result<()> {
    if context.json().is_some() {
        return show::print(context, index, properties::seat(seat));
    }
    context.separate(index);
    let block = status::seat(seat);
    context.out.push_str(&block.to_text());
    let devices = devices::of_seat(&seat.id);
    // One column to the left of the values, as loginctl has it.
    let indent = block.indent() - 1;
    context.out.push_str(&tree::of_devices(&devices, indent, context.columns()));
    Ok(())
}

fn print_block(context: &mut Context<'_>, index: usize, block: &Block, control_group: Option<&str>) {
    context.separate(index);
    context.out.push_str(&block.to_text());
    let tree = control_group.and_then(|path| cgroup::read(&cgroup::mount()?, path));
    if let Some(tree) = tree {
        context.out.push_str(&tree::to_text(&tree, block.indent(), context.columns(), context.options.all));
    }
}

impl Context<'_> {
    /// How wide lines of a tree may be.
    fn columns(&self) -> Option<usize> {
        terminal::columns().filter(|_| !self.options.full)
    }
}
