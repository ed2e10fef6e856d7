//! Lingering users: kept without a login, from boot on, until the flag is cleared (contract/user-lifecycle.md
//! section 9). The flag is a name's, what is kept is a uid's: a name is looked up before it counts, and again when
//! somebody logs in whose uid the database gave to another name before. So a deleted user's flag is not inherited by
//! whoever gets the number next, and a user with two names lingers by either.

use usher_protocol::ids::{Uid, UserName};
use usher_protocol::messages::Refusal;

use crate::effect::{Answer, Effect};
use crate::event::{Account, LookupFailure, Now, RequestId};
use crate::model::{Model, Out};
use crate::policy::{Action, Authority};
use crate::record::GcMode;

impl Model {
    pub(crate) fn set_linger(
        &self,
        request: RequestId,
        authority: Authority,
        account: Account,
        linger: bool,
        out: &mut Out,
    ) {
        match authority.permits(Action::SetLinger, account.uid, |_| false) {
            // The flag first, durably; what follows from it when it is on the disk.
            Ok(()) => {
                let mut also = if linger { Vec::new() } else { self.flags_of(account.uid) };
                also.retain(|name| *name != account.name);
                out.act(Effect::WriteLinger { request, account, also, linger });
            }
            Err(refusal) => out.reply(request, Answer::Refused(refusal)),
        }
    }

    pub(crate) fn linger_written(
        &mut self,
        now: Now,
        request: RequestId,
        written: Result<(Account, Vec<UserName>, bool), String>,
        out: &mut Out,
    ) {
        let (account, also, linger) = match written {
            Ok(written) => written,
            Err(message) => return out.reply(request, Answer::Refused(Refusal::Failed { message })),
        };
        if linger {
            self.start_lingering(now, account.name.clone(), account, out);
        } else {
            for name in also.into_iter().chain([account.name]) {
                self.lingering.remove(&name);
                self.stop_looking_up(&name);
            }
            self.see_who_lingers(account.uid);
        }
        out.reply(request, Answer::Done);
    }

    /// A user with a linger flag is started, or kept from now on.
    fn start_lingering(&mut self, now: Now, flag: UserName, account: Account, out: &mut Out) {
        let uid = account.uid;
        self.stop_looking_up(&flag);
        self.lingering.insert(flag, Some(uid));
        // Whoever is logged in goes by the name of the login, whoever lingers already by that of the first flag.
        let here = self.users.get(&uid).filter(|user| user.pinning > 0 || user.linger);
        let account = here.map_or(account, |user| user.account.clone());
        let user = self.track_user(now, account, true, out);
        user.linger = true;
        user.terminated = false;
        user.try_again(true);
        self.dirty_users.insert(uid);
        self.touch_user(uid);
    }

    /// A user lingers by any flag that is known to be the user's. When the last of them has gone, a user manager started
    /// earlier keeps nobody any more.
    fn see_who_lingers(&mut self, uid: Uid) {
        let lingers = self.lingering.values().any(|owner| *owner == Some(uid));
        let Some(user) = self.users.get_mut(&uid) else { return };
        if user.linger && !lingers {
            user.linger = false;
            user.gc_mode = GcMode::Pin;
            self.dirty_users.insert(uid);
            self.touch_user(uid);
        }
    }

    /// The names whose flags are known to be this user's, and the name that the user goes by, if it has one.
    fn flags_of(&self, uid: Uid) -> Vec<UserName> {
        let own = self.users.get(&uid).map(|user| &user.account.name);
        let is_of = |(name, owner): &(&UserName, &Option<Uid>)| **owner == Some(uid) || own == Some(*name);
        self.lingering.iter().filter(is_of).map(|(name, _)| name.clone()).collect()
    }

    /// Whether somebody who has just logged in has a linger flag. The name needs no more looking up.
    pub(crate) fn has_linger_flag(&mut self, name: &UserName, uid: Uid) -> bool {
        self.stop_looking_up(name);
        let Some(owner) = self.lingering.get_mut(name) else { return false };
        let before = owner.replace(uid).filter(|before| *before != uid);
        if let Some(before) = before {
            self.see_who_lingers(before);
        }
        true
    }

    /// Somebody logs in by a name that this uid did not have before: the flags of its other names count on if the user
    /// database still knows them. That is asked in passing, not of the login.
    pub(crate) fn check_other_names(&mut self, name: &UserName, uid: Uid, out: &mut Out) {
        if self.users.get(&uid).is_some_and(|user| user.account.name == *name) {
            return;
        }
        let others = self.lingering.iter().filter(|(other, owner)| **owner == Some(uid) && *other != name);
        for other in others.map(|(other, _)| other.clone()).collect::<Vec<_>>() {
            self.look_up(other, out);
        }
    }

    /// No lookup that is under way brings this user back.
    pub(crate) fn forget_lookups_of(&mut self, uid: Uid) {
        for name in self.flags_of(uid) {
            self.stop_looking_up(&name);
            self.lingering.insert(name, Some(uid));
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
        if !self.lookups.contains(&name) {
            return;
        }
        let before = self.lingering.get(&name).copied().flatten();
        match result {
            Ok(account) => {
                if self.stop_looking_up(&name) {
                    self.all_lookups_are_due(now);
                }
                match self.users.get(&account.uid).is_some_and(|user| user.terminated) {
                    true => drop(self.lingering.insert(name, Some(account.uid))),
                    false => self.start_lingering(now, name, account, out),
                }
            }
            Err(failure) => {
                if failure == LookupFailure::NoSuchUser {
                    self.lingering.insert(name.clone(), None);
                }
                self.lookup_failed(now, name, failure, out);
            }
        }
        if let Some(before) = before {
            self.see_who_lingers(before);
        }
    }
}
