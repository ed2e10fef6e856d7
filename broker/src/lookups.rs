//! Asking the user database, which may fail, take its time, or hang for ever: in helper processes, never more than a few
//! at once, however many users have linger flags.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep_until, timeout};
use tracing::warn;
use usher_model::{Account, Event, LookupFailure};
use usher_protocol::ids::{Uid, UserName};
use usher_protocol::messages::Refusal;

use crate::crash;
use crate::inbox::Broker;
use crate::sys::accounts::{Helper, LookupError, Query};
use crate::sys::mount::TableWatch;

/// Lookups that have just begun: as many at once. A database that is up answers in a few milliseconds.
const LANES: usize = 4;
/// Lookups that do not come to an end: as many at once go on beside those.
const SLOW_LANES: usize = 8;
/// Lookups on behalf of users who ask for their own linger flag; root does not queue with them.
const USERS_LANES: usize = 4;
/// How long a lookup may hold up those behind it; and how often one that hangs is begun anew, beside the one that hangs:
/// a database that comes back does not always remember whom it has kept waiting.
const PATIENCE: Duration = Duration::from_secs(1);
/// How long a lookup may take. One that is slow but sure comes to its end within this time.
const LOOKUP_TIMEOUT: Duration = Duration::from_secs(10);

/// How long the name service may take to answer somebody who asks for a linger flag.
const LINGER_TIMEOUT: Duration = Duration::from_secs(10);
/// How long it is waited for where the last login of the user says as much.
const SECOND_OPINION: Duration = Duration::from_secs(1);

/// Where lookups queue.
#[derive(Clone)]
pub(crate) struct Lookups {
    broker: Broker,
    lanes: Arc<Semaphore>,
    slow_lanes: Arc<Semaphore>,
    users_lanes: Arc<Semaphore>,
}

impl Lookups {
    pub(crate) fn new(broker: Broker) -> Self {
        let lanes = |number| Arc::new(Semaphore::new(number));
        Self { broker, lanes: lanes(LANES), slow_lanes: lanes(SLOW_LANES), users_lanes: lanes(USERS_LANES) }
    }

    /// Looks up the user of a linger flag. Reported as `LingerResolved`; the same name is not to be asked for before that.
    pub(crate) fn resolve_linger(&self, name: UserName, home: bool) {
        let lookups = self.clone();
        tokio::spawn(async move {
            let mut helpers = Helpers::new(Query::ByName { name: name.clone(), home });
            let result = lookups.in_turn(&mut helpers).await.map_err(|error| match error {
                LookupError::NoSuchUser => LookupFailure::NoSuchUser,
                LookupError::NoHome(why) => LookupFailure::HomeUnavailable(why),
                error => LookupFailure::Unavailable(error.to_string()),
            });
            // One that cannot even be killed, because it hangs in the kernel, is the last one for this name.
            if timeout(PATIENCE, helpers.end()).await.is_err() {
                warn!(
                    "looking up the lingering user {name} hangs in the kernel: is the home directory's server down?"
                );
                helpers.end().await;
            }
            crash::point(crash::LINGER_RESOLVED);
            lookups.broker.report(Event::LingerResolved { name, result }).await;
        });
    }

    async fn in_turn(&self, helpers: &mut Helpers) -> Result<Account, LookupError> {
        let lane = self.lanes.acquire().await.ok();
        if let Some(result) = helpers.first_answer(PATIENCE).await {
            return result;
        }
        drop(lane);
        let Ok(_slow_lane) = self.slow_lanes.try_acquire() else {
            return Err(LookupError::TimedOut(PATIENCE));
        };
        let left = LOOKUP_TIMEOUT.saturating_sub(PATIENCE);
        helpers.first_answer(left).await.unwrap_or(Err(LookupError::TimedOut(LOOKUP_TIMEOUT)))
    }

    /// A user's account, for a linger flag that is to be set or cleared. The name service knows to whom a number belongs now;
    /// where it does not answer, the last login has to do. So the flag of a user who was deleted while logged in can be cleared.
    pub(crate) async fn account_for_linger(
        &self,
        uid: Uid,
        linger: bool,
        caller: Uid,
    ) -> Result<Account, Refusal> {
        let known = self.broker.query(move |model| model.account(uid).cloned()).await?;
        let limit = if known.is_some() { SECOND_OPINION } else { LINGER_TIMEOUT };
        match (self.find(uid, caller, limit).await, known) {
            (Ok(account), _) => Ok(account),
            (Err(LookupError::NoSuchUser), Some(known)) if !linger => Ok(known),
            (Err(LookupError::NoSuchUser), _) => {
                let message = "the user database does not know it".to_owned();
                Err(Refusal::UnknownUser { uid: uid.get(), message })
            }
            (Err(_), Some(known)) => Ok(known),
            (Err(error), None) => Err(Refusal::UnknownUser { uid: uid.get(), message: error.to_string() }),
        }
    }

    /// Looks up a user for whom somebody asks.
    ///
    /// # Errors
    /// The ways in which there is no answer.
    pub(crate) async fn find(&self, uid: Uid, caller: Uid, limit: Duration) -> Result<Account, LookupError> {
        let limit = limit.min(LOOKUP_TIMEOUT);
        let found = async {
            let _lane = match caller.is_root() {
                true => None,
                false => self.users_lanes.acquire().await.ok(),
            };
            Helpers::new(Query::ByUid(uid)).first_answer(limit).await
        };
        timeout(limit, found).await.ok().flatten().unwrap_or(Err(LookupError::TimedOut(limit)))
    }

    /// Reports `MountsChanged`, once, at the next change of the mount table.
    pub(crate) fn watch_mounts(&self) {
        // Begun before this returns: no mount from now on is missed.
        let watch = match TableWatch::begin() {
            Ok(watch) => watch,
            Err(error) => {
                return warn!(
                    "home directories of lingering users are only looked for now and then: {error}"
                );
            }
        };
        let broker = self.broker.clone();
        tokio::spawn(async move {
            match watch.changed().await {
                Ok(()) => broker.report(Event::MountsChanged).await,
                Err(error) => warn!("cannot follow the mount table any more: {error}"),
            }
        });
    }
}

/// The helper processes that ask the same question: one that has all the time, and beside it, while that takes long, one
/// that is begun anew every now and then. Killed when dropped.
struct Helpers {
    query: Query,
    first: Option<Helper>,
    again: Option<Helper>,
}

impl Helpers {
    fn new(query: Query) -> Self {
        Self { query, first: None, again: None }
    }

    /// The first answer that any of them gives; `None`: none did so in time.
    async fn first_answer(&mut self, limit: Duration) -> Option<Result<Account, LookupError>> {
        let Self { query, first, again } = self;
        let deadline = Instant::now() + limit;
        let mut next = Instant::now() + PATIENCE;
        if first.is_none() {
            match Helper::start(query) {
                Ok(helper) => *first = Some(helper),
                Err(error) => {
                    return Some(Err(LookupError::Failed(format!("cannot start a process: {error}"))));
                }
            }
        }
        loop {
            tokio::select! {
                answer = answer_of(first) => return Some(answer),
                answer = answer_of(again) => return Some(answer),
                () = sleep_until(deadline) => return None,
                () = sleep_until(next) => next = Instant::now() + begin_anew(again, query),
            }
        }
    }

    /// Kills those that are left, and waits for their end.
    async fn end(&mut self) {
        for helper in [&mut self.first, &mut self.again].into_iter().flatten() {
            helper.end().await;
        }
    }
}

/// Begins anew, once the one before is gone. Gives how long that holds.
fn begin_anew(helper: &mut Option<Helper>, query: &Query) -> Duration {
    if let Some(running) = helper.as_mut()
        && !running.is_gone()
    {
        running.kill();
        return PATIENCE / 20;
    }
    *helper = Helper::start(query).ok();
    PATIENCE
}

async fn answer_of(helper: &mut Option<Helper>) -> Result<Account, LookupError> {
    match helper.as_mut().filter(|helper| !helper.is_killed()) {
        Some(helper) => helper.answer().await,
        None => pending().await,
    }
}
