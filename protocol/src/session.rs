//! Classes, types and states of sessions and users, and the rules that hang on them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A word that is none of the values an enumeration knows.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown {0}")]
pub struct UnknownWord(&'static str);

/// An enumeration whose values have one spelling each: on the wire, in files and in output.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident, $what:literal { $($(#[$vdoc:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum $name { $($(#[$vdoc])* #[serde(rename = $word)] $variant),+ }

        impl $name {
            /// Every value, in declaration order.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// The value's one spelling.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }
        }

        impl FromStr for $name {
            type Err = UnknownWord;

            fn from_str(word: &str) -> Result<Self, UnknownWord> {
                match word { $($word => Ok(Self::$variant),)+ _ => Err(UnknownWord($what)) }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }
    };
}

words! {
    /// What kind of user of the machine a session is (contract/pam.md section 4).
    SessionClass, "session class" {
        /// A regular user session.
        User = "user",
        /// Like `user`, for root and system users: does not wait for the machine to open for users.
        UserEarly = "user-early",
        /// Like `user`, without a user manager: system users (pam_systemd since version 258).
        UserLight = "user-light",
        /// Both `user-early` and `user-light`: root's, where it is asked for.
        UserEarlyLight = "user-early-light",
        /// A session whose user's resources (a home directory, say) are not there yet.
        UserIncomplete = "user-incomplete",
        /// A display manager's login screen.
        Greeter = "greeter",
        /// A lock screen.
        LockScreen = "lock-screen",
        /// A session without a user in front of it (cron, at).
        Background = "background",
        /// Like `background`, without a user manager.
        BackgroundLight = "background-light",
        /// The session of a user's service manager.
        Manager = "manager",
        /// Like `manager`, for root and system users.
        ManagerEarly = "manager-early",
    }
}

impl SessionClass {
    /// Whether the session keeps the user's manager and runtime directory.
    pub const fn pins_user(self) -> bool {
        !matches!(self, Self::Manager | Self::ManagerEarly)
    }

    /// Whether the session has a cgroup of its own.
    pub const fn has_scope(self) -> bool {
        self.pins_user()
    }

    /// Whether the session wants the user's service manager to run.
    pub const fn wants_manager(self) -> bool {
        matches!(self, Self::User | Self::UserEarly | Self::Greeter | Self::LockScreen | Self::Background)
    }

    /// Whether the end of the session is worth a line in the log. Of a job that runs every minute one line is enough.
    pub const fn is_announced_at_its_end(self) -> bool {
        self.pins_user() && !matches!(self, Self::BackgroundLight)
    }

    /// Whether the session may be its user's display session.
    pub const fn display_candidate(self) -> bool {
        self.can_lock() || matches!(self, Self::Greeter)
    }

    /// Whether idleness means anything for the session.
    pub const fn can_idle(self) -> bool {
        self.display_candidate()
    }

    /// Whether the session can be locked.
    pub const fn can_lock(self) -> bool {
        matches!(self, Self::User | Self::UserEarly | Self::UserLight | Self::UserEarlyLight)
    }

    /// Whether a display server may control the session: take devices, say what it is shown on.
    pub const fn can_be_driven(self) -> bool {
        self.display_candidate() || matches!(self, Self::LockScreen)
    }

    /// Whether several sessions of this class may share a virtual terminal.
    pub const fn shares_vt(self) -> bool {
        matches!(self, Self::Greeter)
    }
}

words! {
    /// What a session is shown on (contract/pam.md section 3).
    SessionType, "session type" {
        /// Nothing to see.
        Unspecified = "unspecified",
        /// A text terminal.
        Tty = "tty",
        /// X11.
        X11 = "x11",
        /// Wayland.
        Wayland = "wayland",
        /// Mir.
        Mir = "mir",
        /// A browser.
        Web = "web",
    }
}

impl SessionType {
    /// Whether the session draws pictures.
    pub const fn is_graphical(self) -> bool {
        matches!(self, Self::X11 | Self::Wayland | Self::Mir)
    }
}

words! {
    /// A session's state (contract/user-lifecycle.md section 2).
    SessionState, "session state" {
        /// Being set up; nobody has been told of it yet.
        Opening = "opening",
        /// Logged in, in the background of its seat.
        Online = "online",
        /// Logged in, and without a seat or in its foreground.
        Active = "active",
        /// Logged out; processes may remain.
        Closing = "closing",
    }
}

words! {
    /// A user's state (contract/user-lifecycle.md section 1).
    UserState, "user state" {
        /// Not tracked.
        Offline = "offline",
        /// Logged out, but kept by the linger flag.
        Lingering = "lingering",
        /// The first login is being set up.
        Opening = "opening",
        /// Logged in, nowhere in the foreground.
        Online = "online",
        /// Logged in, and in the foreground or without a seat.
        Active = "active",
        /// Logged out; what belongs to the user is going or waits for the stop delay.
        Closing = "closing",
    }
}

words! {
    /// Whether a user's service manager runs.
    ManagerState, "manager state" {
        /// None is wanted or configured.
        None = "none",
        /// Started, not ready yet.
        Starting = "starting",
        /// Ready.
        Ready = "ready",
        /// Asked to stop.
        Stopping = "stopping",
        /// Died; will be started again in a moment.
        Restarting = "restarting",
        /// Could not be started, or kept dying; given up until the next login.
        Failed = "failed",
    }
}

words! {
    /// Whom of a session a signal is for.
    KillWhom, "kill target" {
        /// The leader only.
        Leader = "leader",
        /// Every process.
        All = "all",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_values_are_the_same_set() {
        for &class in SessionClass::ALL {
            assert_eq!(class.as_str().parse(), Ok(class));
        }
        for &state in UserState::ALL {
            assert_eq!(serde_json::to_value(state).ok(), Some(state.as_str().into()));
        }
        assert!("User".parse::<SessionClass>().is_err());
    }

    #[test]
    fn managers_pin_nobody_and_have_no_scope() {
        for class in [SessionClass::Manager, SessionClass::ManagerEarly] {
            assert!(!class.pins_user() && !class.has_scope() && !class.wants_manager());
        }
        assert!(SessionClass::BackgroundLight.pins_user() && !SessionClass::BackgroundLight.wants_manager());
    }

    #[test]
    fn light_classes_lack_the_manager_and_nothing_else() {
        use SessionClass::*;
        for (light, full) in [(UserLight, User), (UserEarlyLight, UserEarly), (BackgroundLight, Background)] {
            let all_but_manager = |class: SessionClass| {
                (
                    class.pins_user(),
                    class.has_scope(),
                    class.display_candidate(),
                    class.can_idle(),
                    class.can_lock(),
                )
            };
            assert_eq!(all_but_manager(light), all_but_manager(full), "{light}");
            assert_eq!((light.wants_manager(), full.wants_manager()), (false, true), "{light}");
        }
    }
}
