//! Who may do what: one table for every transport. Without polkit: root everything, a user what is his own
//! (DESIGN.md section 5). Reading is free for everyone.

use usher_protocol::ids::Uid;
use usher_protocol::messages::Refusal;

/// What a peer asks to change. The table in this file says who may.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Register a session.
    Open,
    /// Report a logout.
    Close,
    /// Change a linger flag.
    SetLinger,
    /// End a session or a user.
    Terminate,
    /// Send a signal.
    Kill,
    /// End all sessions of a seat.
    TerminateSeat,
    /// Bring another session to the foreground of a seat.
    ChangeVt,
    /// Ask a session to lock or unlock its screen.
    Lock,
    /// The same of all sessions.
    LockAll,
    /// Say that a session is idle or locked, or that its user is complete.
    Describe,
    /// Become a session's controller.
    Control,
    /// Take a session from its controller.
    SeizeControl,
}

/// Who may do something besides root, who may do everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Rule {
    /// Whoever owns the object.
    owner: bool,
    /// Whoever has a session on the seat, where there is no polkit.
    seated: bool,
    /// Whoever polkit permits this action: for the owner's own things, for others'.
    polkit: [Option<&'static str>; 2],
}

impl Action {
    /// The table (contract/dbus.md sections 2, 3 and 6).
    const fn rule(self) -> Rule {
        const MANAGE: &str = "org.freedesktop.login1.manage";
        const LOCK: &str = "org.freedesktop.login1.lock-sessions";
        const CHVT: &str = "org.freedesktop.login1.chvt";
        let (owner, seated, polkit) = match self {
            Self::Open | Self::SeizeControl => (false, false, [None, None]),
            Self::Close | Self::Describe | Self::Control => (true, false, [None, None]),
            Self::SetLinger => {
                let own = "org.freedesktop.login1.set-self-linger";
                (true, false, [Some(own), Some("org.freedesktop.login1.set-user-linger")])
            }
            Self::Terminate | Self::Kill => (true, false, [None, Some(MANAGE)]),
            Self::TerminateSeat => (false, false, [Some(MANAGE), Some(MANAGE)]),
            Self::Lock => (true, false, [None, Some(LOCK)]),
            Self::LockAll => (false, false, [Some(LOCK), Some(LOCK)]),
            Self::ChangeVt => (false, true, [Some(CHVT), Some(CHVT)]),
        };
        Rule { owner, seated, polkit }
    }
}

/// By what right somebody asks for something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Authority {
    /// Who asks, from SO_PEERCRED or the bus.
    Caller(Uid),
    /// The token that the login was given: the PAM application, as whomever it runs by now. Good for closing the session.
    Token,
    /// polkit permits it.
    Polkit,
}

impl Authority {
    /// Whether this is enough to close a session of `owner`.
    ///
    /// # Errors
    /// [`Refusal::AccessDenied`], the same one whatever was shown.
    pub fn check(self, owner: Uid) -> Result<(), Refusal> {
        match self {
            Self::Caller(caller) => check(caller, Action::Close, owner),
            Self::Token => Ok(()),
            Self::Polkit => Err(denied(Action::Close, owner)),
        }
    }

    /// Whether this is enough for `action`, on something of `owner`'s; `seated`: whether a caller has a session on the seat that
    /// it is about.
    ///
    /// # Errors
    /// [`Refusal::AccessDenied`] that says who may.
    pub(crate) fn permits(
        self,
        action: Action,
        owner: Uid,
        seated: impl FnOnce(Uid) -> bool,
    ) -> Result<(), Refusal> {
        match self {
            Self::Polkit if action.rule().polkit != [None, None] => Ok(()),
            Self::Caller(caller) if action.rule().seated && seated(caller) => Ok(()),
            Self::Caller(caller) => check(caller, action, owner),
            Self::Polkit | Self::Token => Err(denied(action, owner)),
        }
    }

    /// Whether this is enough to change the linger flag of `owner`, for whoever wants to know before the flag's name is looked
    /// up.
    ///
    /// # Errors
    /// [`Refusal::AccessDenied`] that says who may.
    pub fn check_linger(self, owner: Uid) -> Result<(), Refusal> {
        self.permits(Action::SetLinger, owner, |_| false)
    }

    /// Whether this is enough to signal what belongs to `owner`, for whoever wants to know before anything else is looked at.
    ///
    /// # Errors
    /// [`Refusal::AccessDenied`] that says who may.
    pub fn check_kill(self, owner: Uid) -> Result<(), Refusal> {
        self.permits(Action::Kill, owner, |_| false)
    }

    /// Whether the process that closes may leave the session's cgroup: not by its user's right alone, or everybody would
    /// get his processes past KillUserProcesses.
    pub fn frees_the_closer(self) -> bool {
        matches!(self, Self::Token | Self::Caller(Uid::ROOT))
    }
}

/// What the table says of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Yes.
    Allowed,
    /// If polkit permits this action; where there is no polkit, whatever [`check`] says.
    Ask(&'static str),
    /// No.
    Denied(Refusal),
}

/// Whether `caller` may do `action` to something that belongs to `owner` (root, if to nobody), where polkit may be asked.
pub fn judge(caller: Uid, action: Action, owner: Uid) -> Verdict {
    let own = caller == owner;
    if caller.is_root() {
        return Verdict::Allowed;
    }
    let [for_own, for_others] = action.rule().polkit;
    match if own { for_own } else { for_others } {
        Some(id) => Verdict::Ask(id),
        None => check(caller, action, owner).map_or_else(Verdict::Denied, |()| Verdict::Allowed),
    }
}

/// Whether `caller` may do `action` to something that belongs to `owner`, without polkit.
///
/// # Errors
/// [`Refusal::AccessDenied`] that says who may.
pub fn check(caller: Uid, action: Action, owner: Uid) -> Result<(), Refusal> {
    if caller.is_root() || action.rule().owner && caller == owner {
        return Ok(());
    }
    Err(denied(action, owner))
}

fn denied(action: Action, owner: Uid) -> Refusal {
    let message = match action {
        Action::Open => "Only root may register a session: this is for PAM modules".to_owned(),
        Action::SetLinger => {
            format!("Only root and the user with uid {owner} may change that user's linger flag")
        }
        Action::ChangeVt => "Only root and who has a session on the seat may switch it".to_owned(),
        Action::TerminateSeat | Action::LockAll | Action::SeizeControl => "Only root may do that".to_owned(),
        Action::Close
        | Action::Terminate
        | Action::Kill
        | Action::Lock
        | Action::Describe
        | Action::Control => format!("Only root and the user with uid {owner} may do that"),
    };
    Refusal::AccessDenied { message }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_matrix() {
        let [root, owner, other] = [0, 1000, 1001].map(|n| Uid::try_from(n).unwrap());
        let may = |caller, action| check(caller, action, owner).is_ok();
        for action in [Action::Close, Action::SetLinger, Action::Terminate, Action::Kill] {
            assert_eq!([root, owner, other].map(|c| may(c, action)), [true, true, false], "{action:?}");
        }
        assert_eq!([root, owner, other].map(|c| may(c, Action::Open)), [true, false, false]);
        let by = [root, owner, other].map(Authority::Caller);
        assert_eq!(by.map(|authority| authority.check(owner).is_ok()), [true, true, false]);
        assert_eq!(by.map(Authority::frees_the_closer), [true, false, false]);
        assert!(Authority::Token.check(owner).is_ok() && Authority::Token.frees_the_closer());
    }
}
