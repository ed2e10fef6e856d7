//! Targets in a user's own manager that follow the user's sessions: `active-session.target` while one is in the foreground of a
//! seat, `logged-in.target` while there is any. They are for systemd; with other managers, hooks are.
//!
//! Nobody waits for this. For each user one task at a time brings the manager to where the targets are to be; whatever
//! changes meanwhile is done next, so that of many switches in a row the last one counts. Who logs out and comes right back,
//! as scripts do over ssh, has not been away ([`REST`]): to stop and start units costs more than all of a login.

mod systemctl;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, Semaphore};
use tracing::{debug, warn};
use usher_model::{Account, Model};
use usher_protocol::ids::Uid;

use crate::gather::MOMENT;
use crate::inbox::Broker;
use crate::witness::{Facts, Incident, Kind};
use systemctl::Verb;

/// While a session of the user is in the foreground of a seat.
const ACTIVE: &str = "active-session.target";
/// While the user has a session of any kind but a manager's own.
const LOGGED_IN: &str = "logged-in.target";

/// For so long a user whose last session has gone may come back before `logged-in.target` is stopped. `active-session.target`
/// is never kept: what belongs to whoever is in front of the seat is another's at once.
const REST: Duration = Duration::from_millis(500);

/// Managers that are talked to at the same time, at most.
const AT_ONCE: usize = 4;

/// Which targets are to be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Reached {
    active: bool,
    logged_in: bool,
}

/// A user.
#[derive(Debug, Default)]
struct Person {
    /// Sessions that count.
    sessions: usize,
    /// Those in the foreground of a seat.
    in_front: usize,
    /// What the manager was told last; `None` where that is not known.
    told: Option<Reached>,
    /// A task is at it.
    busy: bool,
    /// Tracked no more: forgotten as soon as that task is done.
    gone: bool,
    /// The log has a line about this user's manager already.
    complained: bool,
    /// For the task: something has changed meanwhile.
    changed: Arc<Notify>,
}

impl Person {
    fn wanted(&self) -> Reached {
        Reached { active: self.in_front > 0, logged_in: self.sessions > 0 }
    }

    /// Whether all that there is to tell is that nobody is logged in any more.
    fn has_only_left(&self) -> bool {
        let wanted = self.wanted();
        let stays = Reached { logged_in: true, ..wanted };
        !wanted.logged_in && self.told == Some(stays)
    }
}

/// Everybody.
#[derive(Debug, Default)]
struct Book(Mutex<HashMap<Uid, Person>>);

impl Book {
    fn open(&self) -> MutexGuard<'_, HashMap<Uid, Person>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whoever sees to the targets.
pub(crate) struct Targets {
    book: Arc<Book>,
    places: Arc<Semaphore>,
    broker: Broker,
}

impl Targets {
    /// From what is there already. What an earlier usherd has told the managers is not known. To be called inside a tokio
    /// runtime.
    pub(crate) fn new(model: &Model, broker: Broker) -> Self {
        let mut people: HashMap<Uid, Person> =
            model.list_users().map(|(uid, _)| (uid, Person::default())).collect();
        for facts in model.sessions().into_iter().map(Facts::from).filter(|facts| facts.class.pins_user()) {
            let person = people.entry(facts.uid).or_default();
            person.sessions += 1;
            person.in_front += usize::from(facts.in_front);
        }
        let targets = Self {
            book: Arc::new(Book(Mutex::new(people))),
            places: Arc::new(Semaphore::new(AT_ONCE)),
            broker,
        };
        for (uid, _) in model.list_users() {
            targets.see_to(uid, model);
        }
        targets
    }

    /// Takes notice of something that has happened; never waits.
    pub(crate) fn hear(&mut self, incident: &Incident, model: &Model) {
        let uid = incident.uid;
        let counts = incident.session.as_ref().is_none_or(|facts| facts.class.pins_user());
        if !counts {
            return;
        }
        let mut people = self.book.open();
        match incident.kind {
            Kind::UserGone => {
                match people.get_mut(&uid) {
                    Some(person) if person.busy => {
                        let changed = person.changed.clone();
                        changed.notify_one();
                        *person = Person { busy: true, gone: true, changed, ..Person::default() }
                    }
                    _ => drop(people.remove(&uid)),
                }
                return;
            }
            // A new one has no targets yet.
            Kind::UserCame => {
                let person = people.entry(uid).or_default();
                person.gone = false;
                person.told = Some(Reached::default());
            }
            Kind::ManagerReady => {
                let person = people.entry(uid).or_default();
                person.told = person.told.map(|_| Reached::default());
                person.complained = false;
            }
            Kind::SessionOpened => people.entry(uid).or_default().sessions += 1,
            Kind::SessionActive => people.entry(uid).or_default().in_front += 1,
            Kind::SessionClosed | Kind::SessionInactive => {
                let Some(person) = people.get_mut(&uid) else { return };
                let count = if incident.kind == Kind::SessionClosed {
                    &mut person.sessions
                } else {
                    &mut person.in_front
                };
                *count = count.saturating_sub(1);
            }
        }
        drop(people);
        self.see_to(uid, model);
    }

    /// Has a task bring the user's manager to where it is to be, if it can be told and has not been.
    fn see_to(&self, uid: Uid, model: &Model) {
        // Whoever is told is ready; one that is not yet says so when it is.
        if !model.has_ready_manager(uid) {
            return;
        }
        let Some(account) = model.account(uid) else { return };
        let mut people = self.book.open();
        let Some(person) = people.get_mut(&uid) else { return };
        if person.busy {
            person.changed.notify_one();
            return;
        }
        if person.told == Some(person.wanted()) {
            return;
        }
        person.busy = true;
        let account = account.clone();
        let (book, places, broker) = (self.book.clone(), self.places.clone(), self.broker.clone());
        tokio::spawn(async move { work(&account, &book, &places, &broker).await });
    }
}

/// Tells a manager until it has been told what is wanted.
async fn work(account: &Account, book: &Book, places: &Semaphore, broker: &Broker) {
    let uid = account.uid;
    // Whoever logs in has the answer first: to start a program is more work than all of a login. Who has gone again by then has
    // not been there.
    tokio::time::sleep(MOMENT).await;
    loop {
        rest(uid, book).await;
        // Never closed.
        let _place = places.acquire().await;
        let (told, wanted) = {
            let mut people = book.open();
            let Some(person) = people.get_mut(&uid) else { return };
            if person.gone {
                people.remove(&uid);
                return;
            }
            let wanted = person.wanted();
            if person.told == Some(wanted) {
                person.busy = false;
                return;
            }
            // A manager that becomes ready meanwhile sets this to what it has.
            (person.told.replace(wanted), wanted)
        };
        let Err(why) = tell(account, told, wanted).await else { continue };
        let is_ready = broker.query(move |model| model.has_ready_manager(uid)).await.unwrap_or(false);
        let mut people = book.open();
        let Some(person) = people.get_mut(&uid) else { return };
        if is_ready && !std::mem::replace(&mut person.complained, true) {
            warn!(%uid, "targets of the user manager do not follow the sessions: {why}");
        } else {
            debug!(%uid, "targets of the user manager do not follow the sessions: {why}");
        }
        if person.told == Some(wanted) {
            person.told = None;
            if person.wanted() == wanted && !person.gone {
                // Tried again at the next change, from the beginning.
                person.busy = false;
                return;
            }
        }
    }
}

/// Gives a user who has only just left the time to come back.
async fn rest(uid: Uid, book: &Book) {
    let over = tokio::time::sleep(REST);
    tokio::pin!(over);
    loop {
        let changed = {
            let people = book.open();
            let Some(person) = people.get(&uid).filter(|person| person.has_only_left()) else { return };
            person.changed.clone()
        };
        tokio::select! {
            () = &mut over => return,
            () = changed.notified() => {}
        }
    }
}

/// Brings a manager from what it was told to what it is to be told.
async fn tell(account: &Account, told: Option<Reached>, wanted: Reached) -> Result<(), String> {
    let reached = |target: &&str, of: Reached| if *target == ACTIVE { of.active } else { of.logged_in };
    let change = |to: bool| {
        move |target: &&str| {
            reached(target, wanted) == to && told.is_none_or(|told| reached(target, told) != to)
        }
    };
    let pick = |to: bool| {
        let targets = [ACTIVE, LOGGED_IN].into_iter().filter(change(to));
        targets.filter(|target| systemctl::is_installed(target)).collect::<Vec<_>>()
    };
    for (verb, targets) in [(Verb::Stop, pick(false)), (Verb::Start, pick(true))] {
        if !targets.is_empty() {
            systemctl::run(account, verb, &targets).await?;
        }
    }
    Ok(())
}
