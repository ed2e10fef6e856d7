//! The one loop that owns the model: messages, the kernel's news and deadlines go in as events; effects go to the
//! interpreter, and what they report at once goes in again before anything else does.

use std::collections::VecDeque;
use std::future::pending;

use anyhow::{Context, Result};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;
use tracing::{error, info};
use usher_model::{Effect, Event, Model, RequestId};

use crate::inbox::Message;
use crate::interpret::{Interpreter, Requester};
use crate::memory::Memory;
use crate::status::Status;
use crate::sys::Readiness;
use crate::sys::clock;
use crate::sys::vt::Foreground;
use crate::{crash, settings};

/// How many messages that have come at the same time are answered together, at most: the first of them waits for the
/// last.
const TOGETHER: usize = 64;

/// The loop and what it owns.
pub(crate) struct Run {
    pub(crate) model: Model,
    pub(crate) interpreter: Interpreter,
    pub(crate) inbox: mpsc::Receiver<Message>,
    pub(crate) foreground: Option<(Foreground, Readiness)>,
    pub(crate) memory: Memory,
    pub(crate) status: Status,
    pub(crate) next_request: u64,
}

/// What ends the wait.
enum Wake {
    Message(Message),
    LeadersGone(Vec<usher_protocol::ids::SessionId>),
    FifosClosed(Vec<usher_protocol::ids::SessionId>),
    ScopesEmptied(Vec<usher_protocol::ids::SessionId>),
    VtChanged,
    Deadline,
    Stop,
    Reload,
}

impl Run {
    /// Does what is left to do from before, then whatever comes, until it is told to stop.
    pub(crate) async fn run(mut self, first: Vec<Effect>, ready: impl FnOnce()) -> Result<()> {
        let mut signals = Signals::new()?;
        self.perform(first);
        self.catch_up();
        crash::point(crash::START_DONE);
        ready();
        loop {
            match self.wait(&mut signals).await? {
                Wake::Message(message) => self.take_all(message),
                Wake::LeadersGone(sessions) => {
                    self.memory.ended(sessions.len());
                    for session in sessions {
                        self.handle(Event::LeaderExited { session });
                    }
                }
                Wake::FifosClosed(sessions) => {
                    for session in sessions {
                        self.handle(Event::FifoClosed { session });
                    }
                }
                Wake::ScopesEmptied(sessions) => {
                    for session in sessions {
                        self.handle(Event::ScopeEmptied { session });
                    }
                }
                Wake::VtChanged => {
                    let foreground = self.foreground.as_ref().and_then(|(terminal, _)| terminal.read());
                    self.handle(Event::VtChanged { foreground });
                }
                Wake::Deadline => self.handle(Event::Tick),
                Wake::Reload => self.reload(),
                Wake::Stop => return Ok(()),
            }
            self.catch_up();
        }
    }

    /// This message and others that have come with it. No leader can have gone before those, unheard: nothing was waited
    /// for since leaders were asked after.
    fn take_all(&mut self, first: Message) {
        self.take(first);
        for _ in 1..TOGETHER {
            let Ok(message) = self.inbox.try_recv() else { return };
            self.take(message);
        }
    }

    fn take(&mut self, message: Message) {
        match message {
            Message::Event(event) => self.handle(event),
            Message::Query(query) => query(&self.model),
            Message::Follow(follower) => self.interpreter.followers.join(follower),
            Message::Request { make, leader, answers } => {
                let request = RequestId(self.next_request);
                self.next_request += 1;
                self.interpreter.requests.insert(request, Requester { leader, answers });
                let event = make(request, &self.model);
                self.handle(event);
            }
        }
    }

    /// Puts on file what shows what was done, then tells everybody who waits for it.
    fn catch_up(&mut self) {
        let effects = self.model.catch_up();
        self.perform(effects);
        self.interpreter.send_answers(&self.model);
    }

    /// The end of a leader comes before new requests: who logs in again right after a crash finds it over.
    async fn wait(&mut self, signals: &mut Signals) -> Result<Wake> {
        let deadline = self.model.next_deadline();
        let wake = tokio::select! {
            biased;
            gone = self.interpreter.leaders.gone() => {
                Wake::LeadersGone(gone.context("cannot wait for leaders")?)
            }
            closed = self.interpreter.fifos.closed() => {
                Wake::FifosClosed(closed.context("cannot wait for FIFOs")?)
            }
            emptied = self.interpreter.scopes.emptied() => {
                Wake::ScopesEmptied(emptied.context("cannot wait for cgroups")?)
            }
            _ = signals.terminate.recv() => Wake::Stop,
            _ = signals.interrupt.recv() => Wake::Stop,
            _ = signals.hangup.recv() => Wake::Reload,
            () = vt_changed(self.foreground.as_ref()) => Wake::VtChanged,
            () = reached(deadline) => Wake::Deadline,
            Some(message) = self.inbox.recv() => Wake::Message(message),
        };
        Ok(wake)
    }

    fn handle(&mut self, event: Event) {
        self.handle_all(VecDeque::from([event]));
    }

    fn handle_all(&mut self, mut events: VecDeque<Event>) {
        while let Some(event) = events.pop_front().or_else(|| self.interpreter.place_next()) {
            self.interpreter.hear(&event);
            let effects = self.model.handle(clock::now(), event);
            crash::point(crash::DECIDED);
            events.extend(effects.into_iter().filter_map(|effect| self.interpreter.perform(effect)));
        }
    }

    fn perform(&mut self, effects: Vec<Effect>) {
        let events = effects.into_iter().filter_map(|effect| self.interpreter.perform(effect)).collect();
        self.handle_all(events);
    }

    fn reload(&mut self) {
        info!("reading the configuration again");
        let (loaded, choices) = settings::load(Some(&self.model.settings().services), &self.status);
        self.interpreter.managers.reconfigure(choices);
        self.interpreter.hooks.reconfigure(loaded.hook_timeout);
        self.interpreter.scopes.reconfigure(loaded.expedite_rcu);
        let for_model = settings::for_model(&loaded, self.interpreter.cgroups.is_some());
        self.handle(Event::Reloaded(Box::new(for_model)));
    }
}

/// Waits for a deadline on CLOCK_MONOTONIC, in microseconds; for ever if there is none.
async fn reached(deadline: Option<u64>) {
    let Some(deadline) = deadline else { return pending().await };
    let left = deadline.saturating_sub(clock::now().monotonic);
    tokio::time::sleep(std::time::Duration::from_micros(left)).await;
}

async fn vt_changed(watch: Option<&(Foreground, Readiness)>) {
    let Some((_, changed)) = watch else { return pending().await };
    if let Err(error) = changed.wait().await {
        error!(%error, "cannot follow the foreground terminal any more");
        pending().await
    }
}

/// The signals that usherd heeds. Sessions, managers and runtime directories outlive it.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Signals {
    fn new() -> Result<Self> {
        let listen = |kind| signal(kind).context("cannot listen for signals");
        Ok(Self {
            terminate: listen(SignalKind::terminate())?,
            interrupt: listen(SignalKind::interrupt())?,
            hangup: listen(SignalKind::hangup())?,
        })
    }
}
