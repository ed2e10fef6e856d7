//! Who may do what: one table for every transport. Without polkit: root everything, a user what is his own
//! (DESIGN.md section 5). Reading is free for everyone.

use usher_protocol::ids::Uid;
use usher_protocol::messages::Refusal;

/// What a peer asks to change.
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
}

/// By what right somebody closes a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Authority {
    /// Who asks, from SO_PEERCRED.
    Caller(Uid),
    /// The token that the login was given: the PAM application, as whomever it runs by now.
    Token,
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
        }
    }

    /// Whether the process that closes may leave the session's cgroup: not by its user's right alone, or everybody would
    /// get his processes past KillUserProcesses.
    pub fn frees_the_closer(self) -> bool {
        matches!(self, Self::Token | Self::Caller(Uid::ROOT))
    }
}

/// Whether `caller` may do `action` to something that belongs to `owner`.
///
/// # Errors
/// [`Refusal::AccessDenied`] that says who may.
pub fn check(caller: Uid, action: Action, owner: Uid) -> Result<(), Refusal> {
    let allowed = match action {
        Action::Open => caller.is_root(),
        Action::Close | Action::SetLinger | Action::Terminate | Action::Kill => {
            caller.is_root() || caller == owner
        }
    };
    if allowed {
        return Ok(());
    }
    let message = match action {
        Action::Open => "Only root may register a session: this is for PAM modules".to_owned(),
        Action::Close | Action::Terminate | Action::Kill => {
            format!("Only root and the user with uid {owner} may do that")
        }
        Action::SetLinger => {
            format!("Only root and the user with uid {owner} may change that user's linger flag")
        }
    };
    Err(Refusal::AccessDenied { message })
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
