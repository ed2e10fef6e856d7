//! Effects, done by the fake kernel.

use usher_protocol::ids::{LeaderPid, SessionId, Uid};

use super::{Place, Soon, World};
use crate::change::{Change, SeatProperty, UserProperty};
use crate::effect::{Answer, Effect, MoveOut};
use crate::event::{Event, LookupFailure, Reaped};

const SIGTERM: i32 = 15;
const SIGKILL: i32 = 9;

/// What fails from now on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Failures {
    pub(crate) leader_watch: bool,
    pub(crate) runtime_dir: bool,
    pub(crate) scope: bool,
    pub(crate) reap: bool,
    pub(crate) teardown: bool,
    pub(crate) linger: bool,
    /// /run is full.
    pub(crate) files: bool,
}

/// How managers started from now on behave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Temper {
    /// There is to be none for this user.
    Unwanted,
    /// Becomes ready, and stops when asked.
    Good,
    /// Never becomes ready, but stops when asked.
    Slow,
    /// Becomes ready, and does not stop until killed.
    Stubborn,
    /// Never becomes ready, and does not stop until killed.
    Hung,
    /// Ends before it is ready.
    Dying,
    /// Cannot be started.
    Missing,
}

/// Of what object something that is under way is. Things of one object happen in order.
pub(super) fn lane(soon: &Soon) -> String {
    match soon {
        Soon::News(Event::ManagerStarted { uid, .. })
        | Soon::News(Event::ManagerUnwanted { uid, .. })
        | Soon::News(Event::ManagerReady { uid, .. })
        | Soon::News(Event::ManagerGone { uid, .. }) => format!("manager {uid}"),
        Soon::News(Event::UserTornDown { uid, .. })
        | Soon::News(Event::RuntimeDirCreated { uid, .. })
        | Soon::Work(Effect::TearDownUser { uid, .. }) => format!("directory {uid}"),
        Soon::News(Event::ScopeCreated { session, .. })
        | Soon::News(Event::ScopeReaped { session, .. })
        | Soon::News(Event::ScopeEmptied { session }) => format!("scope {session}"),
        Soon::News(Event::LeaderExited { session }) => format!("leader {session}"),
        Soon::News(Event::LingerWritten { account, .. })
        | Soon::Work(Effect::WriteLinger { account, .. }) => {
            // All names of one number: one change may be of several flags.
            format!("linger {}", account.uid)
        }
        Soon::News(Event::LingerResolved { name, .. }) | Soon::Work(Effect::ResolveLinger { name, .. }) => {
            format!("name {name}")
        }
        // A file that could not be written is news of the file's object, and comes before the next of it.
        Soon::News(Event::NotSaved(file)) => format!("file {file:?}"),
        Soon::News(Event::FifoClosed { session }) => format!("fifo {session}"),
        Soon::News(Event::VtChanged { .. }) => "terminals".to_owned(),
        Soon::News(Event::MountsChanged) => "mounts".to_owned(),
        Soon::Exit(process) => format!("process {process}"),
        other => panic!("{other:?} is not something to wait for"),
    }
}

impl World {
    /// Does what the model wants; gives what comes of it at once.
    pub(super) fn perform(&mut self, effects: Vec<Effect>) -> Vec<Event> {
        let mut results = Vec::new();
        for effect in effects {
            let announcement = matches!(effect, Effect::Announce(_));
            match self.dies_after.as_mut().filter(|_| !announcement) {
                Some(0) => {
                    self.crash();
                    return Vec::new();
                }
                Some(left) => *left -= 1,
                None => {}
            }
            self.effects += usize::from(!announcement);
            self.check_effect(&effect);
            self.note(&effect);
            let Some(result) = self.act(effect) else { continue };
            if self.delayed { self.soon.push_back(Soon::News(result)) } else { results.push(result) }
        }
        results
    }

    fn act(&mut self, effect: Effect) -> Option<Event> {
        let failures = self.failures;
        match effect {
            Effect::ReserveIds { .. }
            | Effect::SaveSession(_)
            | Effect::RemoveSession(_)
            | Effect::SaveUser(_)
            | Effect::RemoveUser(_)
            | Effect::SaveSeat(_) => return self.write_file(effect),
            Effect::CreateRuntimeDir { uid, .. } => {
                let result = if failures.runtime_dir {
                    Err("cannot mount /run/user: no memory".to_owned())
                } else {
                    self.unmounted.remove(&uid);
                    Ok(self.kernel.make_runtime_dir(uid))
                };
                return Some(Event::RuntimeDirCreated { uid, result });
            }
            Effect::ResizeRuntimeDirs { dirs, .. } => {
                for (uid, dir) in dirs {
                    let there = self.kernel.runtime_dirs.get(&uid) == Some(&dir);
                    assert!(there || self.unmounted.contains(&uid), "{uid} has no such directory: {dir:?}");
                }
            }
            Effect::CreateScope { uid, session, leader } => {
                let result = self.create_scope(uid, &session, leader);
                return Some(Event::ScopeCreated { session, result });
            }
            Effect::ReapScope { uid, session, move_out } => {
                let result = self.reap_scope(uid, &session, move_out);
                return Some(Event::ScopeReaped { session, result });
            }
            Effect::WatchScope { uid, session } => {
                if self.kernel.those_in(&Place::Scope(uid, session.clone())).is_empty() {
                    return Some(Event::ScopeEmptied { session });
                }
                self.watched.insert((uid, session));
            }
            Effect::WatchAdopted { session, .. } => {
                // Whoever is left there goes in time; a crash forgets who waits for it.
                self.soon.push_back(Soon::News(Event::ScopeEmptied { session }));
            }
            Effect::SignalScope { uid, session, signal } => self.signal(&Place::Scope(uid, session), signal),
            Effect::KillScope { uid, session, .. } => self.signal(&Place::Scope(uid, session), SIGKILL),
            Effect::SignalLeader { session, signal } => {
                if let Some(leader) = self.leaders.get(&session) {
                    self.signal_one(*leader, signal);
                }
            }
            Effect::WatchLeader { request, session } => {
                let leader = self.arriving.remove(&request).expect("the leader comes with the request");
                if failures.leader_watch || !self.kernel.is_alive(leader) {
                    return Some(Event::LeaderExited { session });
                }
                self.leaders.insert(session, leader);
            }
            Effect::ForgetLeader(session) => drop(self.leaders.remove(&session)),
            Effect::SignalUser { uid, signal } => {
                let scopes: Vec<_> =
                    self.kernel.scopes.iter().filter(|(owner, _)| *owner == uid).cloned().collect();
                for (uid, session) in scopes {
                    self.signal(&Place::Scope(uid, session), signal);
                }
                self.signal(&Place::Manager(uid), signal);
            }
            Effect::StartManager { account, generation } => {
                let uid = account.uid;
                self.check_promises_of_manager(uid);
                // What a broker that died has left there.
                self.signal(&Place::Manager(uid), SIGKILL);
                if self.temper == Temper::Unwanted {
                    let unwanted = Event::ManagerUnwanted { uid, generation };
                    if self.delayed {
                        self.soon.push_back(Soon::News(unwanted));
                        return None;
                    }
                    return Some(unwanted);
                }
                if self.temper == Temper::Missing {
                    let result = Err("no such file".to_owned());
                    return Some(Event::ManagerStarted { uid, generation, result });
                }
                let stubborn = matches!(self.temper, Temper::Stubborn | Temper::Hung);
                let main = self.kernel.spawn(Place::Manager(uid), stubborn);
                self.supervised.insert(uid, (generation, main));
                let started = Event::ManagerStarted { uid, generation, result: Ok(main) };
                let ready = Event::ManagerReady { uid, generation };
                let then = match self.temper {
                    Temper::Good | Temper::Stubborn => Some(Soon::News(ready)),
                    Temper::Dying => Some(Soon::Exit(main)),
                    Temper::Slow | Temper::Hung | Temper::Missing | Temper::Unwanted => None,
                };
                if self.delayed {
                    self.soon.push_back(Soon::News(started));
                    self.soon.extend(then);
                    return None;
                }
                self.soon.extend(then);
                return Some(started);
            }
            Effect::AdoptManager { account, generation, main, .. } => {
                let uid = account.uid;
                if self.kernel.is_alive(main) {
                    self.supervised.insert(uid, (generation, main));
                } else {
                    let how = "it ended meanwhile".to_owned();
                    self.soon.push_back(Soon::News(Event::ManagerGone { uid, generation, how }));
                }
            }
            // The fake's managers do not wait for it; when it comes is in the scenarios.
            Effect::ReleaseManager { .. } => {}
            Effect::StopManager { uid, generation } => self.signal_manager(uid, generation, SIGTERM),
            Effect::KillManager { uid, generation, .. } => self.signal_manager(uid, generation, SIGKILL),
            Effect::TearDownUser { .. } | Effect::WriteLinger { .. } | Effect::ResolveLinger { .. } => {
                self.soon.push_back(Soon::Work(effect));
            }
            Effect::WatchMounts => self.mounts_watched = true,
            Effect::ActivateVt(vtnr) => {
                self.kernel.foreground = Some(vtnr);
                self.soon.push_back(Soon::News(Event::VtChanged { foreground: Some(vtnr) }));
            }
            Effect::OpenFifo(session) => {
                // Whoever has asked for it opens it at once; an old one may have lost its writer.
                if !*self.kernel.fifos.entry(session.clone()).or_insert(true) {
                    self.soon.push_back(Soon::News(Event::FifoClosed { session: session.clone() }));
                }
                self.fifos_read.insert(session);
            }
            Effect::RemoveFifo(session) => {
                self.kernel.fifos.remove(&session);
                self.fifos_read.remove(&session);
            }
            Effect::Tell(change) => self.follower.hears(&change, &self.model),
            Effect::Reply { request, answer } => {
                if !matches!(answer, Answer::Opened { continues: true, .. }) {
                    self.unanswered.remove(&request);
                }
                self.promise(&answer);
                self.answers.entry(request).or_default().push(answer);
            }
            Effect::Announce(news) => self.news.push(news.text),
        }
        None
    }

    fn create_scope(&mut self, uid: Uid, session: &SessionId, leader: LeaderPid) -> Result<(), String> {
        if self.failures.scope || !self.kernel.is_alive(leader) {
            return Err("cannot make the cgroup: no space".to_owned());
        }
        self.kernel.scopes.insert((uid, session.clone()));
        let before = self.kernel.place_of(leader).cloned();
        self.kernel.move_to(leader, Place::Scope(uid, session.clone()));
        if let Some(Place::Scope(uid, session)) = before {
            // A login from inside another session that gets one of its own.
            self.someone_left(uid, session);
        }
        Ok(())
    }

    /// Whoever watches a scope hears of the last process that leaves it.
    fn someone_left(&mut self, uid: Uid, session: SessionId) {
        let empty = self.kernel.those_in(&Place::Scope(uid, session.clone())).is_empty();
        if empty && self.watched.remove(&(uid, session.clone())) {
            self.soon.push_back(Soon::News(Event::ScopeEmptied { session }));
        }
    }

    fn reap_scope(&mut self, uid: Uid, session: &SessionId, out: Option<MoveOut>) -> Result<Reaped, String> {
        let scope = Place::Scope(uid, session.clone());
        for process in out.into_iter().flat_map(|out| out.leader.into_iter().chain(out.others)) {
            if self.kernel.place_of(process) == Some(&scope) {
                self.kernel.move_to(process, Place::Elsewhere);
            }
        }
        if self.failures.reap {
            return Err("cannot remove the cgroup: not permitted".to_owned());
        }
        if !self.kernel.those_in(&scope).is_empty() {
            return Ok(Reaped::Busy);
        }
        self.kernel.scopes.remove(&(uid, session.clone()));
        Ok(Reaped::Gone)
    }

    /// Does what takes time; gives the news of it.
    pub(super) fn work(&mut self, effect: Effect) -> Event {
        match effect {
            Effect::TearDownUser { uid, runtime, .. } => {
                self.check_promises_of_manager(uid);
                // What a broker that died before it noted the manager has left.
                self.signal(&Place::Manager(uid), SIGKILL);
                let scopes = self.kernel.scopes.iter().any(|(owner, _)| *owner == uid);
                assert!(!scopes || self.littered, "the slice of {uid} goes, but has scopes");
                let result = if self.failures.teardown {
                    Err("cannot unmount: busy".to_owned())
                } else {
                    // By its mount: somebody else's stays.
                    if runtime.is_some() && self.kernel.runtime_dirs.get(&uid) == runtime.as_ref() {
                        self.kernel.runtime_dirs.remove(&uid);
                    }
                    Ok(())
                };
                Event::UserTornDown { uid, result }
            }
            Effect::WriteLinger { request, account, also, linger } => {
                let result = if self.failures.linger {
                    Err("cannot write: no space".to_owned())
                } else {
                    if linger {
                        self.kernel.linger_flags.insert(account.name.clone());
                    } else {
                        self.kernel.linger_flags.remove(&account.name);
                        self.kernel.linger_flags.retain(|name| !also.contains(name));
                    }
                    Ok(())
                };
                Event::LingerWritten { request, account, also, linger, result }
            }
            Effect::ResolveLinger { name, home } => {
                let result = match self.kernel.accounts.get(&name) {
                    _ if self.kernel.name_service_down => {
                        Err(LookupFailure::Unavailable("no answer from the name service".to_owned()))
                    }
                    None => Err(LookupFailure::NoSuchUser),
                    Some(_) if self.kernel.deleted.contains(&name) => Err(LookupFailure::NoSuchUser),
                    Some(_) if home && self.kernel.homes_missing => {
                        Err(LookupFailure::HomeUnavailable("there is none".to_owned()))
                    }
                    Some(account) => Ok(account.clone()),
                };
                Event::LingerResolved { name, result }
            }
            other => panic!("{other:?} takes no time"),
        }
    }

    fn signal(&mut self, place: &Place, signal: i32) {
        for process in self.kernel.those_in(place) {
            self.signal_one(process, signal);
        }
    }

    fn signal_manager(&mut self, uid: Uid, generation: crate::event::Generation, signal: i32) {
        if let Some((_, main)) = self.supervised.get(&uid).filter(|(run, _)| *run == generation) {
            self.signal_one(*main, signal);
        }
    }

    fn signal_one(&mut self, process: LeaderPid, signal: i32) {
        let stubborn = self.kernel.processes.get(&process.pid).is_some_and(|p| p.stubborn);
        if signal == SIGKILL {
            self.exit(process);
        } else if !stubborn && !self.soon.contains(&Soon::Exit(process)) {
            self.soon.push_back(Soon::Exit(process));
        }
    }

    /// A process ends; whoever watches it, or its cgroup, hears of it.
    pub(crate) fn exit(&mut self, process: LeaderPid) {
        let Some(place) = self.kernel.place_of(process).cloned() else { return };
        self.kernel.processes.remove(&process.pid);
        let led: Vec<_> =
            self.leaders.iter().filter(|(_, l)| **l == process).map(|(id, _)| id.clone()).collect();
        for session in led {
            self.leaders.remove(&session);
            self.soon.push_back(Soon::News(Event::LeaderExited { session }));
        }
        match place {
            Place::Scope(uid, session) => self.someone_left(uid, session),
            Place::Manager(uid) => {
                if let Some((generation, _)) = self.supervised.get(&uid).filter(|(_, main)| *main == process)
                {
                    let gone =
                        Event::ManagerGone { uid, generation: *generation, how: "exit status 1".to_owned() };
                    self.supervised.remove(&uid);
                    self.soon.push_back(Soon::News(gone));
                }
            }
            Place::Elsewhere => {}
        }
    }

    /// Whoever has a session's FIFO open for writing closes it.
    pub(crate) fn let_go_of_fifo(&mut self, session: &SessionId) {
        let held = self.kernel.fifos.get_mut(session).is_some_and(std::mem::take);
        if held && self.fifos_read.contains(session) {
            self.soon.push_back(Soon::News(Event::FifoClosed { session: session.clone() }));
        }
    }

    fn note(&mut self, effect: &Effect) {
        let line = match effect {
            Effect::ReserveIds { .. } => "reserve ids".to_owned(),
            Effect::SaveSession(record) => format!("save session {} {}", record.id, record.state),
            Effect::RemoveSession(id) => format!("remove session {id}"),
            Effect::SaveUser(record) => format!("save user {} {}", record.uid, record.state),
            Effect::RemoveUser(uid) => format!("remove user {uid}"),
            Effect::SaveSeat(_) => "save seat".to_owned(),
            Effect::CreateRuntimeDir { uid, .. } => format!("create directory {uid}"),
            Effect::ResizeRuntimeDirs { dirs, size, .. } => format!("resize {} to {size}", dirs.len()),
            Effect::CreateScope { session, .. } => format!("create scope {session}"),
            Effect::ReapScope { session, .. } => format!("reap scope {session}"),
            Effect::WatchAdopted { session, .. } => format!("watch adopted {session}"),
            Effect::WatchScope { session, .. } => format!("watch scope {session}"),
            Effect::SignalScope { session, signal, .. } => format!("signal scope {session} {signal}"),
            Effect::KillScope { session, .. } => format!("kill scope {session}"),
            Effect::SignalLeader { session, signal } => format!("signal leader {session} {signal}"),
            Effect::WatchLeader { session, .. } => format!("watch leader {session}"),
            Effect::ForgetLeader(session) => format!("forget leader {session}"),
            Effect::SignalUser { uid, signal } => format!("signal user {uid} {signal}"),
            Effect::StartManager { account, .. } => format!("start manager {}", account.uid),
            Effect::ReleaseManager { uid, .. } => format!("release manager {uid}"),
            Effect::AdoptManager { account, .. } => format!("adopt manager {}", account.uid),
            Effect::StopManager { uid, .. } => format!("stop manager {uid}"),
            Effect::KillManager { uid, .. } => format!("kill manager {uid}"),
            Effect::TearDownUser { uid, .. } => format!("tear down {uid}"),
            Effect::WriteLinger { account, linger, .. } => format!("write linger {} {linger}", account.uid),
            Effect::ResolveLinger { name, .. } => format!("resolve {name}"),
            Effect::WatchMounts => "watch mounts".to_owned(),
            Effect::ActivateVt(vtnr) => format!("activate tty{vtnr}"),
            Effect::OpenFifo(id) => format!("open fifo {id}"),
            Effect::RemoveFifo(id) => format!("remove fifo {id}"),
            Effect::Tell(change) => in_words(change),
            Effect::Reply { answer: Answer::Opened { continues: true, .. }, .. } => {
                "reply registered".to_owned()
            }
            Effect::Reply { answer: Answer::Opened { reply, .. }, .. } if reply.existing => {
                "reply existing".to_owned()
            }
            Effect::Reply { answer: Answer::Opened { .. }, .. } => "reply settled".to_owned(),
            Effect::Reply { answer: Answer::Done, .. } => "reply done".to_owned(),
            Effect::Reply { answer: Answer::Refused(why), .. } => format!("refuse {why}"),
            Effect::Announce(_) => return,
        };
        self.log.push(line);
    }
}

fn in_words(change: &Change) -> String {
    let who = |id: &Option<SessionId>| id.as_ref().map_or("none".to_owned(), SessionId::to_string);
    match change {
        Change::UserNew(uid) => format!("tell user {uid} is new"),
        Change::UserRemoved(uid) => format!("tell user {uid} is gone"),
        Change::ManagerReady(uid) => format!("tell user {uid} has a manager"),
        Change::SessionNew(id) => format!("tell session {id} is new"),
        Change::SessionRemoved(gone) => format!("tell session {} is gone", gone.id),
        Change::Session(id, properties) => format!("tell session {id} {properties:?}"),
        Change::User(uid, properties) => match properties.as_slice() {
            [UserProperty::Display(display)] => format!("tell user {uid} display {}", who(display)),
            other => format!("tell user {uid} {other:?}"),
        },
        Change::Seat(seat, properties) => match properties.as_slice() {
            [SeatProperty::ActiveSession(active)] => format!("tell {seat} active {}", who(active)),
            other => format!("tell {seat} {other:?}"),
        },
        Change::Idle(idle) => format!("tell all {idle:?}"),
        Change::Lock(id) => format!("tell session {id} lock"),
        Change::Unlock(id) => format!("tell session {id} unlock"),
    }
}
