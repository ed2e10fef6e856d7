//! Lingering users: kept without a login, from boot on, until the flag is cleared (contract/user-lifecycle.md
//! section 9).

use usher_protocol::ids::{Uid, UserName};
use usher_protocol::messages::Refusal;

use crate::effect::{Answer, Effect, Severity};
use crate::event::{Account, LookupFailure, Now, RequestId};
use crate::model::{Model, Out};
use crate::policy::{self, Action};
use crate::record::GcMode;
use crate::settings::SECOND;
use crate::timer::Timer;

/// The first wait before a name that the user database could not look up is looked up again; doubled each time.
const FIRST_RETRY: u64 = SECOND;
/// The longest such wait: a name service that comes back is noticed within this time.
const LONGEST_RETRY: u64 = 5 * SECOND;
/// After this many attempts, ten minutes, the name is likely that of a user who was deleted, and is asked for less often.
const PATIENCE: u32 = 120;
/// How often, then.
const RARE_RETRY: u64 = 300 * SECOND;

impl Model {
    pub(crate) fn set_linger(
        &self,
        request: RequestId,
        caller: Uid,
        account: Account,
        linger: bool,
        out: &mut Out,
    ) {
        match policy::check(caller, Action::SetLinger, account.uid) {
            // The flag first, durably; what follows from it when it is on the disk.
            Ok(()) => out.act(Effect::WriteLinger { request, account, linger }),
            Err(refusal) => out.reply(request, Answer::Refused(refusal)),
        }
    }

    pub(crate) fn linger_written(
        &mut self,
        now: Now,
        request: RequestId,
        account: Account,
        linger: bool,
        result: Result<(), String>,
        out: &mut Out,
    ) {
        if let Err(message) = result {
            return out.reply(request, Answer::Refused(Refusal::Failed { message }));
        }
        if linger {
            self.lingering.insert(account.name.clone());
            self.start_lingering(now, account, out);
        } else {
            self.lingering.remove(&account.name);
            self.stop_lingering(&account);
        }
        out.reply(request, Answer::Done);
    }

    /// A user with a linger flag is started, or kept from now on.
    pub(crate) fn start_lingering(&mut self, now: Now, account: Account, out: &mut Out) {
        let uid = account.uid;
        self.is_resolved(&account.name);
        let user = self.track_user(now, account, out);
        user.linger = true;
        user.terminated = false;
        user.try_again();
        self.dirty_users.insert(uid);
        self.touch_user(uid);
    }

    fn stop_lingering(&mut self, account: &Account) {
        self.is_resolved(&account.name);
        if let Some(user) = self.users.get_mut(&account.uid) {
            // Two names may have one number: the flag of the name that the user is known by counts.
            user.linger = self.lingering.contains(&user.account.name);
            // From now on a user manager started earlier keeps nobody.
            user.gc_mode = GcMode::Pin;
            self.dirty_users.insert(account.uid);
            self.touch_user(account.uid);
        }
    }

    /// Whether a user who has just logged in has a linger flag. Its name needs no more looking up.
    pub(crate) fn has_linger_flag(&mut self, name: &UserName) -> bool {
        self.is_resolved(name);
        self.lingering.contains(name)
    }

    /// The user of a flag is known: nobody need look the name up any more.
    pub(crate) fn is_resolved(&mut self, name: &UserName) {
        if self.unresolved.remove(name).is_some() {
            self.timers.clear(&Timer::LingerRetry(name.clone()));
        }
    }

    /// A linger flag's name was looked up, or could not be.
    pub(crate) fn linger_resolved(
        &mut self,
        now: Now,
        name: UserName,
        result: Result<Account, LookupFailure>,
        out: &mut Out,
    ) {
        // The flag may have been cleared meanwhile, or its user have logged in.
        let Some(attempts) = self.unresolved.get_mut(&name) else { return };
        let failure = match result {
            Ok(account) => {
                self.is_resolved(&name);
                // Under another name of the same number the user is being ended.
                if self.users.get(&account.uid).is_some_and(|user| user.terminated) {
                    return;
                }
                return self.start_lingering(now, account, out);
            }
            Err(failure) => failure,
        };
        let delay = match *attempts {
            PATIENCE.. => RARE_RETRY,
            attempts => (FIRST_RETRY << attempts.min(8)).min(LONGEST_RETRY),
        };
        *attempts = attempts.saturating_add(1);
        if *attempts == 1 {
            let why = match failure {
                LookupFailure::NoSuchUser => "no such user".to_owned(),
                LookupFailure::Unavailable(why) => why,
            };
            let text =
                format!("user {name} lingers but cannot be looked up, trying again until it can: {why}");
            out.announce(Severity::Warning, None, None, text);
        }
        self.timers.set(Timer::LingerRetry(name), now, delay);
    }
}
