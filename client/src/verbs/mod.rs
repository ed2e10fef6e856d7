//! The verbs, a file a group. Each one asks the broker and adds what it has to show to the output.

mod doctor;
mod end;
mod linger;
mod list;
mod screen;
mod show;
mod status;

use std::process::ExitCode;

use anyhow::Context as _;
use serde::Serialize;
use usher_protocol::ids::{SeatId, SessionId};
use usher_protocol::messages::{Call, SeatView, SessionView, UserSelector, UserView};

use crate::accounts;
use crate::broker::{self, Broker};
use crate::cli::{JsonMode, Options, Verb};
use crate::clock::Now;
use crate::render::json;
use crate::terminal;

/// What every verb has at hand.
#[derive(Debug)]
struct Context<'a> {
    options: &'a Options,
    broker: Broker,
    now: Now,
    out: &'a mut String,
}

/// Carries out a verb. What it had to show before it failed is in the output, too. Of those that do not fail, only doctor
/// has another exit code than 0.
///
/// # Errors
/// With the text to show: operation, object and cause.
pub fn run(options: &Options, verb: Verb, out: &mut String) -> anyhow::Result<ExitCode> {
    match verb {
        // Also where there is no usherd, then above all.
        Verb::Doctor => doctor::run(options, out),
        verb => ask(options, verb, out).map(|()| ExitCode::SUCCESS),
    }
}

/// The verbs that are questions to usherd, or requests.
fn ask(options: &Options, verb: Verb, out: &mut String) -> anyhow::Result<()> {
    let broker = Broker::connect(&options.socket)?;
    let context = &mut Context { options, broker, now: Now::read(), out };
    match verb {
        Verb::ListSessions => list::sessions(context),
        Verb::ListUsers => list::users(context),
        Verb::ListSeats => list::seats(context),
        Verb::SessionStatus { sessions } => status::sessions(context, &sessions),
        Verb::UserStatus { users } => status::users(context, &users),
        Verb::SeatStatus { seats } => status::seats(context, &seats),
        Verb::ShowSession { sessions } => show::sessions(context, &sessions),
        Verb::ShowUser { users } => show::users(context, &users),
        Verb::ShowSeat { seats } => show::seats(context, &seats),
        Verb::Activate { session } => screen::activate(context, session.as_deref()),
        Verb::LockSession { sessions } => screen::lock(context, &sessions, true),
        Verb::UnlockSession { sessions } => screen::lock(context, &sessions, false),
        Verb::LockSessions => screen::lock_all(context, true),
        Verb::UnlockSessions => screen::lock_all(context, false),
        Verb::EnableLinger { users } => linger::set(context, &users, true),
        Verb::DisableLinger { users } => linger::set(context, &users, false),
        Verb::TerminateSession { sessions } => end::terminate_sessions(context, &sessions),
        Verb::TerminateUser { users } => end::terminate_users(context, &users),
        Verb::TerminateSeat { seats } => end::terminate_seats(context, &seats),
        Verb::KillSession { sessions } => end::kill_sessions(context, &sessions),
        Verb::KillUser { users } => end::kill_users(context, &users),
        Verb::Doctor | Verb::Help => Ok(()),
    }
}

/// Whether JSON is wanted, and if so, whether indented.
fn json_layout(options: &Options) -> Option<bool> {
    match options.json {
        _ if options.json_auto => Some(terminal::is_terminal()),
        JsonMode::Pretty => Some(true),
        JsonMode::Short => Some(false),
        JsonMode::Off => None,
    }
}

impl Context<'_> {
    /// Whether JSON is wanted, and if so, whether indented.
    fn json(&self) -> Option<bool> {
        json_layout(self.options)
    }

    fn print_json<T: Serialize + ?Sized>(&mut self, value: &T, pretty: bool) -> anyhow::Result<()> {
        self.out.push_str(&json::to_text(value, pretty)?);
        Ok(())
    }

    /// A blank line between two objects' texts.
    fn separate(&mut self, index: usize) {
        if index > 0 {
            self.out.push('\n');
        }
    }

    /// A session for looking at.
    fn session(&mut self, word: &str) -> anyhow::Result<SessionView> {
        self.broker.session(word).with_context(|| format!("Failed to get path for session '{word}'"))
    }

    /// A seat for looking at.
    fn seat(&mut self, word: &str) -> anyhow::Result<SeatView> {
        self.broker.seat(word).with_context(|| format!("Failed to get path for seat '{word}'"))
    }

    /// A user for looking at; nobody named is the caller.
    fn user(&mut self, word: Option<&str>) -> anyhow::Result<UserView> {
        let uid = word.map(accounts::resolve).transpose()?;
        self.broker.user(UserSelector { uid }).context("Failed to get user")
    }

    /// A session for acting on. `self`, `auto` and the empty word are looked up first: actions take ids only.
    fn session_id(&mut self, word: &str) -> anyhow::Result<SessionId> {
        match word {
            "" | "self" | "auto" => Ok(self.broker.session(word)?.id),
            _ => Ok(broker::known_form(word)?),
        }
    }

    /// A seat for acting on, likewise.
    fn seat_id(&mut self, word: &str) -> anyhow::Result<SeatId> {
        match word {
            "" | "self" | "auto" => Ok(self.broker.seat(word)?.id),
            _ => Ok(broker::known_seat_form(word)?),
        }
    }

    /// Has something done to the session that a word stands for.
    fn act_on_session(&mut self, word: &str, call: impl FnOnce(SessionId) -> Call) -> anyhow::Result<()> {
        let session = self.session_id(word)?;
        self.broker.act(&call(session))
    }
}
