//! Effects become calls on the edges; what comes of them goes back as events. The only file that knows every edge.
//! What is known at once is returned; what takes time is reported when it is done.

use std::collections::{BTreeMap, VecDeque};
use std::os::fd::OwnedFd;
use std::sync::Arc;

use tokio::sync::{Semaphore, mpsc};
use tracing::{error, info, warn};
use usher_model::record::RuntimeDir;
use usher_model::{Answer, Change, Effect, Event, Model, News, RequestId, Severity, StateFile};
use usher_protocol::ids::{LeaderPid, SessionId, Uid};

use crate::fifos::Fifos;
use crate::followers::Followers;
use crate::hooks::Hooks;
use crate::inbox::Broker;
use crate::leaders::Leaders;
use crate::linger::{LingerChange, LingerWriter};
use crate::lookups::Lookups;
use crate::manager::Managers;
use crate::resizer::Resizer;
use crate::scopes::Scopes;
use crate::state::StateFiles;
use crate::sys::cgroup::CgroupRoot;
use crate::sys::mount::Wanted;
use crate::sys::{self, mount};
use crate::{counter, crash, teardown};

/// So many leaders at most are put into their cgroups by threads at the same time. The kernel moves one process at a time, so that
/// more threads would wait for each other, each with memory of its own.
const PLACING_MAX: usize = 4;

/// Whose turn it is to be put into a cgroup by a thread.
pub(crate) struct Placing(Arc<Semaphore>);

impl Default for Placing {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(PLACING_MAX)))
    }
}

/// Everything that effects act on.
pub(crate) struct Interpreter {
    pub(crate) broker: Broker,
    pub(crate) cgroups: Option<Arc<CgroupRoot>>,
    pub(crate) files: StateFiles,
    pub(crate) leaders: Leaders,
    pub(crate) fifos: Fifos,
    pub(crate) scopes: Scopes,
    pub(crate) placing: Placing,
    pub(crate) managers: Managers,
    pub(crate) linger: LingerWriter,
    pub(crate) resizer: Resizer,
    pub(crate) lookups: Lookups,
    pub(crate) requests: BTreeMap<RequestId, Requester>,
    /// What is told as soon as everything is on file, before the answers.
    pub(crate) changes: Vec<Change>,
    /// Whom it is told.
    pub(crate) followers: Followers,
    /// One of them, whose settings may change.
    pub(crate) hooks: Hooks,
    /// Answers that are due as soon as everything is on file.
    pub(crate) answers: Vec<(RequestId, Answer)>,
    /// Leaders who are to be put into their sessions' cgroups, which takes a while: after everything else.
    pub(crate) unplaced: VecDeque<(Uid, SessionId, LeaderPid)>,
}

/// Who waits for a request's answers.
pub(crate) struct Requester {
    pub(crate) leader: Option<OwnedFd>,
    pub(crate) answers: mpsc::UnboundedSender<Answer>,
}

impl Interpreter {
    /// Takes notice of what an effect has come to, where an edge keeps books about it.
    pub(crate) fn hear(&mut self, event: &Event) {
        match event {
            Event::ManagerGone { uid, generation, .. }
            | Event::ManagerUnwanted { uid, generation }
            | Event::ManagerStarted { uid, generation, result: Err(_) } => {
                self.managers.forget(*uid, *generation)
            }
            Event::ScopeCreated { .. } => self.scopes.moved(),
            Event::UserTornDown { uid, result } => {
                self.managers.forget_words(*uid);
                if result.is_err() {
                    self.scopes.watch_slice(*uid);
                }
            }
            _ => {}
        }
    }

    /// Does one thing.
    pub(crate) fn perform(&mut self, effect: Effect) -> Option<Event> {
        let moments = crash::around(&effect);
        crash::point(moments.before);
        let result = self.act(effect);
        crash::point(moments.after);
        result
    }

    fn act(&mut self, effect: Effect) -> Option<Event> {
        match effect {
            Effect::ReserveIds { up_to } => saved(counter::write(up_to), || StateFile::Ids),
            Effect::SaveSession(record) => {
                saved(self.files.write_session(&record), || StateFile::Session(record.id))
            }
            Effect::RemoveSession(id) => {
                self.scopes.forget(&id);
                told(self.files.remove_session(&id))
            }
            Effect::SaveUser(record) => saved(self.files.write_user(&record), || StateFile::User(record.uid)),
            Effect::RemoveUser(uid) => told(self.files.remove_user(uid)),
            Effect::SaveSeat(record) => saved(self.files.write_seat(&record), || StateFile::Seat),
            Effect::CreateRuntimeDir { uid, gid, form, size, inodes, known } => {
                self.scopes.unwatch_slice(uid);
                let wanted = Wanted { uid, gid, form, bytes: size, inodes };
                let result = mount::create(&wanted, known).map_err(|error| error.to_string());
                Some(Event::RuntimeDirCreated { uid, result })
            }
            Effect::ResizeRuntimeDirs { dirs, size, inodes } => {
                self.resizer.resize(dirs, size, inodes);
                None
            }
            Effect::CreateScope { uid, session, leader } if self.scopes.is_quick() => {
                self.place(uid, session, leader)
            }
            Effect::CreateScope { uid, session, leader } => {
                self.unplaced.push_back((uid, session, leader));
                None
            }
            Effect::ReapScope { uid, session, move_out } => {
                let result = self.scopes.reap(uid, &session, move_out.as_ref(), self.leaders.held(&session));
                Some(Event::ScopeReaped { session, result: result.map_err(|error| error.to_string()) })
            }
            Effect::WatchScope { uid, session } => match self.scopes.watch(uid, &session) {
                Ok(empty) => empty.then_some(Event::ScopeEmptied { session }),
                Err(error) => Some(Event::ScopeReaped { session, result: Err(error.to_string()) }),
            },
            Effect::WatchAdopted { session, cgroup } => match self.scopes.watch_adopted(&session, &cgroup) {
                Ok(empty) => empty.then_some(Event::ScopeEmptied { session }),
                Err(error) => {
                    warn!(%session, "the session ends without regard to what is left in its cgroup: {error}");
                    Some(Event::ScopeEmptied { session })
                }
            },
            Effect::SignalScope { uid, session, signal } => told(self.scopes.signal(uid, &session, signal)),
            Effect::KillScope { uid, session, why } => told(self.scopes.kill(uid, &session, &why)),
            Effect::SignalUser { uid, signal } => told(self.scopes.signal_user(uid, signal)),
            Effect::SignalLeader { session, signal } => told(self.leaders.signal(&session, signal)),
            Effect::WatchLeader { request, session } => {
                let leader = self.requests.get_mut(&request).and_then(|requester| requester.leader.take());
                match leader.map(|leader| self.leaders.watch(session.clone(), leader)) {
                    Some(Ok(())) => None,
                    // A session whose end would not be noticed is none.
                    Some(Err(error)) => {
                        warn!(%session, %error, "cannot watch the session's leader: the session ends");
                        Some(Event::LeaderExited { session })
                    }
                    None => Some(Event::LeaderExited { session }),
                }
            }
            Effect::ForgetLeader(session) => {
                self.leaders.forget(&session);
                None
            }
            Effect::StartManager { account, generation } => self.managers.start(account, generation),
            Effect::ReleaseManager { uid, generation } => {
                self.managers.go_ahead(uid, generation);
                None
            }
            Effect::AdoptManager { account, generation, main, ready } => {
                self.managers.adopt(account, generation, main, ready);
                None
            }
            Effect::StopManager { uid, generation } => {
                self.managers.stop(uid, generation);
                None
            }
            Effect::KillManager { uid, generation, why } => {
                self.managers.kill(uid, generation, why);
                None
            }
            Effect::TearDownUser { uid, gid, runtime, remove_ipc } => {
                self.tear_down(uid, gid, runtime, remove_ipc);
                None
            }
            Effect::WriteLinger { request, account, also, linger } => {
                self.linger.write(LingerChange { request, account, also, linger });
                None
            }
            Effect::ResolveLinger { name, home } => {
                self.lookups.resolve_linger(name, home);
                None
            }
            Effect::WatchMounts => {
                self.lookups.watch_mounts();
                None
            }
            Effect::ActivateVt(vtnr) => told(sys::vt::activate(vtnr)),
            Effect::OpenFifo(session) => match self.fifos.open(&session) {
                Ok(()) => None,
                // A session whose end would not be noticed is none.
                Err(error) => {
                    warn!(%session, %error, "cannot hold the session open by a FIFO: the session ends");
                    Some(Event::FifoClosed { session })
                }
            },
            Effect::RemoveFifo(session) => told(self.fifos.remove(&session)),
            Effect::Tell(change) => {
                self.changes.push(change);
                None
            }
            Effect::Reply { request, answer } => {
                self.answers.push((request, answer));
                None
            }
            Effect::Announce(news) => {
                announce(&news);
                None
            }
        }
    }

    /// Tells followers what has changed, then everybody who waits for it what has come of their requests.
    pub(crate) fn send_answers(&mut self, model: &Model) {
        self.followers.tell(&mut self.changes, model);
        for (request, answer) in std::mem::take(&mut self.answers) {
            self.reply(request, answer);
        }
    }

    fn reply(&mut self, request: RequestId, answer: Answer) {
        let last = !matches!(answer, Answer::Opened { continues: true, .. });
        if let Some(requester) = self.requests.get(&request) {
            // A peer that has gone needs no answer.
            let _ = requester.answers.send(answer);
        }
        if last {
            self.requests.remove(&request);
        }
    }

    /// Puts leaders into their cgroups whom that has kept waiting, until there is something to report. It is due when the loop has
    /// done everything else that is to be done now: the user's manager starts meanwhile, and the kernel changes no other
    /// cgroup while it waits.
    pub(crate) fn place_next(&mut self) -> Option<Event> {
        while let Some((uid, session, leader)) = self.unplaced.pop_front() {
            let event = self.place(uid, session, leader);
            if event.is_some() {
                return event;
            }
        }
        None
    }

    fn place(&mut self, uid: Uid, session: SessionId, leader: LeaderPid) -> Option<Event> {
        match self.scopes.create_at_once(uid, &session, leader, self.leaders.held(&session)) {
            Some(result) => {
                let result = result.map_err(|error| error.to_string());
                Some(Event::ScopeCreated { session, result })
            }
            None => {
                self.create_scope(uid, session, leader);
                None
            }
        }
    }

    /// Waits for the kernel, so not in the loop: other logins and the start of this user's manager go on meanwhile.
    fn create_scope(&self, uid: Uid, session: SessionId, leader: LeaderPid) {
        let broker = self.broker.clone();
        let create = self.scopes.creation();
        let placing = self.placing.0.clone();
        tokio::spawn(async move {
            // Nobody closes it: in order, one after the other.
            let _turn = placing.acquire_owned().await;
            let id = session.clone();
            let result = match tokio::task::spawn_blocking(move || create(uid, &id, leader)).await {
                Ok(result) => result.map_err(|error| error.to_string()),
                Err(error) => Err(error.to_string()),
            };
            broker.report(Event::ScopeCreated { session, result }).await;
        });
    }

    /// Freeing a large runtime directory takes a while, and so does looking through IPC objects: not in the loop.
    fn tear_down(&self, uid: Uid, gid: u32, runtime: Option<RuntimeDir>, remove_ipc: bool) {
        let broker = self.broker.clone();
        let cgroups = self.cgroups.clone();
        tokio::spawn(async move {
            let result = teardown::run(uid, gid, runtime, remove_ipc, cgroups).await;
            crash::point(crash::TORN_DOWN);
            broker.report(Event::UserTornDown { uid, result }).await;
        });
    }
}

/// For files.
fn saved(result: sys::Result<()>, file: impl FnOnce() -> StateFile) -> Option<Event> {
    let error = result.err()?;
    warn!("{error}; trying again until it works");
    Some(Event::NotSaved(file()))
}

/// For effects whose failure changes nothing that the model decides: the administrator is told.
fn told(result: sys::Result<()>) -> Option<Event> {
    if let Err(error) = result {
        warn!("{error}");
    }
    None
}

fn announce(news: &News) {
    let uid = news.uid.map(|uid| uid.get());
    let session = news.session.as_ref().map(|id| id.as_str());
    match news.severity {
        Severity::Info => info!(uid, session, "{}", news.text),
        Severity::Warning => warn!(uid, session, "{}", news.text),
        Severity::Error => error!(uid, session, "{}", news.text),
    }
}
