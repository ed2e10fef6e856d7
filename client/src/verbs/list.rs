//! list-sessions, list-users and list-seats.

use anyhow::Context as _;
use serde::Serialize;
use usher_protocol::messages::{Call, SeatList, SessionList, UserList};

use super::Context;
use crate::render::rows;
use crate::render::table::Table;

pub(super) fn sessions(context: &mut Context<'_>) -> anyhow::Result<()> {
    let SessionList { sessions } =
        context.broker.call(&Call::ListSessions).context("Failed to list sessions")?;
    let rows = rows::sessions(&sessions);
    let table = rows::session_table(&rows, &context.now);
    print(context, &rows, &table)
}

pub(super) fn users(context: &mut Context<'_>) -> anyhow::Result<()> {
    let UserList { users } = context.broker.call(&Call::ListUsers).context("Failed to list users")?;
    let rows = rows::users(&users);
    let table = rows::user_table(&rows);
    print(context, &rows, &table)
}

pub(super) fn seats(context: &mut Context<'_>) -> anyhow::Result<()> {
    let SeatList { seats } = context.broker.call(&Call::ListSeats).context("Failed to list seats")?;
    let rows = rows::seats(&seats);
    let table = rows::seat_table(&rows);
    print(context, &rows, &table)
}

fn print<R: Serialize>(context: &mut Context<'_>, rows: &[R], table: &Table) -> anyhow::Result<()> {
    match context.json() {
        // As loginctl has it, an empty list is null.
        Some(pretty) if rows.is_empty() => context.print_json(&(), pretty),
        Some(pretty) => context.print_json(rows, pretty),
        None => {
            context.out.push_str(&table.to_text(!context.options.no_legend));
            Ok(())
        }
    }
}
