//! Asks polkit who may do what.
//!
//! * The subject is always the caller's name on the bus, never a process number, which somebody else may have by the time
//!   that polkit looks (CVE-2013-4327).
//! * A caller who has left the bus is denied, whatever polkit says of him: polkit cannot look up who he was, and has said yes
//!   to nobody before (CVE-2021-3560), or the words with which the bus says that there is no polkit.
//! * While polkit thinks, and a person types a password, everything goes on and anything may change. Who gets a yes looks at
//!   the object anew (CVE-2020-1712).
//! * Nothing is subscribed to and nothing remembered: usherd is not woken while nobody asks.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, timeout, timeout_at};
use usher_protocol::ids::Uid;
use zbus::names::UniqueName;
use zbus::proxy::CacheProperties;
use zbus::{Connection, DBusError, Message};
use zbus_polkit::policykit1::{AuthorityProxy, CheckAuthorizationFlags, Subject};

use super::bus;

#[cfg(test)]
mod tests;

const POLKIT: &str = "org.freedesktop.PolicyKit1";

/// What comes of a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Decision {
    /// The caller may, and was on the bus when polkit had said so.
    Granted,
    /// He may not, or nobody can say whether he may, or he has gone.
    Denied,
    /// He may if somebody gives a password: the error of that name, so that the client asks again interactively.
    InteractiveRequired,
    /// There is no polkit, and the bus has none to start: the built-in policy decides.
    Absent,
    /// Too much of this user, or of everybody, is waiting for polkit already: the error LimitsExceeded.
    TooMany,
}

/// How much may wait, and for how long.
#[derive(Debug)]
struct Limits {
    /// Questions of one user, by whatever connections: those are cheap to come by.
    of_user: usize,
    /// Questions of everybody.
    all: usize,
    /// For an answer that needs no person. The start of polkit by the bus is part of that.
    prompt: Duration,
    /// For one that a person may have to type a password for.
    patient: Duration,
    /// How often to look whether the caller is still there, while an answer takes long.
    look: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            of_user: 16,
            all: 256,
            prompt: Duration::from_secs(25),
            patient: Duration::from_secs(5 * 60),
            look: Duration::from_secs(5),
        }
    }
}

/// The questions that polkit has not answered yet; one value for all connections to the bus, the one after a restart of the
/// bus included.
#[derive(Debug, Default)]
pub(crate) struct Polkit {
    limits: Limits,
    /// By user. The lock is held for a few instructions, never across a wait.
    pending: Mutex<HashMap<Uid, usize>>,
    questions: AtomicU64,
}

/// Counts as a question of this user until dropped.
#[derive(Debug)]
struct Place<'p> {
    polkit: &'p Polkit,
    uid: Uid,
}

impl Polkit {
    /// Whether polkit permits `action` to whoever sent a message: `sender`, whose user is `uid` according to the bus. With
    /// `interactive`, polkit may ask a person for a password, which takes up to five minutes; else the answer is there within
    /// 25 seconds. The connection must have no time limit of its own.
    ///
    /// Root is not asked about here: root may.
    pub(crate) async fn check(
        &self,
        connection: &Connection,
        (sender, uid): (&UniqueName<'_>, Uid),
        action: &str,
        interactive: bool,
    ) -> Decision {
        debug_assert_eq!(connection.method_timeout(), None, "shorter than a person takes");
        let Some(_place) = self.enter(uid) else {
            tracing::warn!(%uid, action, "polkit is not asked: too many questions are waiting for it");
            return Decision::TooMany;
        };
        let decision = match self.ask(connection, sender, action, interactive).await {
            Ok(decision) => self.confirm(connection, sender, decision).await,
            Err(error) => Err(error),
        };
        decision.unwrap_or_else(|why| {
            tracing::warn!(%uid, %sender, action, "denied, for want of an answer from polkit: {why}");
            Decision::Denied
        })
    }

    fn enter(&self, uid: Uid) -> Option<Place<'_>> {
        let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        let of_user = pending.get(&uid).copied().unwrap_or_default();
        if of_user >= self.limits.of_user || pending.values().sum::<usize>() >= self.limits.all {
            return None;
        }
        pending.insert(uid, of_user + 1);
        Some(Place { polkit: self, uid })
    }

    async fn ask(
        &self,
        connection: &Connection,
        sender: &UniqueName<'_>,
        action: &str,
        interactive: bool,
    ) -> Result<Decision, String> {
        let subject =
            subject(sender).map_err(|error| format!("it cannot be asked about {sender}: {error}"))?;
        let proxy = AuthorityProxy::builder(connection)
            .cache_properties(CacheProperties::No)
            .build()
            .await
            .map_err(|error| error.to_string())?;
        let (flags, limit) = if interactive {
            (CheckAuthorizationFlags::ALLOW_USER_INTERACTION, self.limits.patient)
        } else {
            (CheckAuthorizationFlags::empty(), self.limits.prompt)
        };
        let cancellation = format!("usherd-{}", self.questions.fetch_add(1, Ordering::Relaxed));
        let details = HashMap::new();
        let mut call =
            std::pin::pin!(proxy.check_authorization(&subject, action, &details, flags, &cancellation));
        let deadline = Instant::now() + limit;
        let why = loop {
            let next = deadline.min(Instant::now() + self.limits.look);
            match timeout_at(next, &mut call).await {
                Ok(Ok(answer)) if answer.is_authorized => return Ok(Decision::Granted),
                Ok(Ok(answer)) if answer.is_challenge => return Ok(Decision::InteractiveRequired),
                Ok(Ok(_)) => return Ok(Decision::Denied),
                Ok(Err(error)) if says_absent(&error) => return Ok(Decision::Absent),
                Ok(Err(error)) => return Err(error.to_string()),
                Err(_) if Instant::now() >= deadline => break format!("none came within {limit:?}"),
                Err(_) => match is_there(connection, sender).await {
                    Ok(true) => {}
                    Ok(false) => break "the caller has left the bus".to_owned(),
                    Err(error) => break error,
                },
            }
        };
        // Or the dialog would stay on the screen.
        let _ = timeout(self.limits.prompt, proxy.cancel_check_authorization(&cancellation)).await;
        Err(why)
    }

    /// Nothing is given to a caller who has gone. The words for an absent polkit may also be what polkit, very much alive,
    /// passes on of its own search for the caller.
    async fn confirm(
        &self,
        connection: &Connection,
        sender: &UniqueName<'_>,
        decision: Decision,
    ) -> Result<Decision, String> {
        if !matches!(decision, Decision::Granted | Decision::Absent) {
            return Ok(decision);
        }
        if !is_there(connection, sender).await? {
            return Err("the caller has left the bus".to_owned());
        }
        if decision == Decision::Absent && is_there(connection, POLKIT).await? {
            return Err("it is there and says that somebody is not".to_owned());
        }
        Ok(decision)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut pending = self.polkit.pending.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(of_user) = pending.get_mut(&self.uid) {
            *of_user = of_user.saturating_sub(1);
            if *of_user == 0 {
                pending.remove(&self.uid);
            }
        }
    }
}

/// Whether a name has an owner, by the bus's own word.
async fn is_there(connection: &Connection, name: &str) -> Result<bool, String> {
    let reply = bus::call(connection, "NameHasOwner", &(name,)).await;
    let owned = reply.and_then(|reply| reply.body().deserialize());
    owned.map_err(|error| format!("the bus does not say whether {name} is there: {error}"))
}

/// The crate names a subject by the header of his message.
fn subject(sender: &UniqueName<'_>) -> Result<Subject, Box<dyn std::error::Error>> {
    let message = Message::method_call("/", "Any").sender(sender).build(&())?;
    Ok(Subject::new_for_message_header(&message.header())?)
}

/// Whether this is how the bus says that nobody has the name, and that it cannot start anybody who would. Where systemd
/// starts services, it has a word of its own for that.
fn says_absent(error: &zbus::Error) -> bool {
    let name = match error {
        zbus::Error::FDO(error) => error.name().to_string(),
        zbus::Error::MethodError(name, ..) => name.to_string(),
        _ => return false,
    };
    let of_bus = name.strip_prefix("org.freedesktop.DBus.Error.").unwrap_or_default();
    matches!(of_bus, "ServiceUnknown" | "NameHasNoOwner")
        || of_bus.starts_with("Spawn.")
        || name == "org.freedesktop.systemd1.NoSuchUnit"
}
