//! The module's arguments as its manual describes them. Nothing but data: whatever makes the manual compiles this file into
//! itself, as a shared object cannot be linked to.

/// An argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Argument {
    Class,
    Kind,
    Desktop,
    Debug,
}

/// What there is to know of one.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Documented {
    pub(crate) argument: Argument,
    /// As it is written, before the `=`.
    pub(crate) name: &'static str,
    /// What stands for its value in the manual; nothing, if it can do without one.
    #[allow(dead_code, reason = "only the manual needs it")]
    pub(crate) value: Option<&'static str>,
    #[allow(dead_code, reason = "only the manual needs it")]
    pub(crate) text: &'static str,
}

/// All of them.
pub(crate) const ARGUMENTS: [Documented; 4] = [
    Documented {
        argument: Argument::Class,
        name: "class",
        value: Some("CLASS"),
        text: "The class of the session where XDG_SESSION_CLASS is not set: user, user-early, user-light, \
               user-early-light, greeter, lock-screen, background, background-light. A login screen's own PAM service \
               says class=greeter. Logins of cron and ssh have a class of their own whatever this says; a [Service] \
               section of usher.conf(5) is above all.",
    },
    Documented {
        argument: Argument::Kind,
        name: "type",
        value: Some("TYPE"),
        text: "The type of the session where XDG_SESSION_TYPE is not set: unspecified, tty, x11, wayland, mir, web. \
               Without it, a login with a display is of type x11, one with a terminal of type tty.",
    },
    Documented {
        argument: Argument::Desktop,
        name: "desktop",
        value: Some("NAME"),
        text: "The desktop of the session where XDG_SESSION_DESKTOP is not set: a short name, as GNOME or sway.",
    },
    Documented {
        argument: Argument::Debug,
        name: "debug",
        value: None,
        text: "Say in the system log what is registered and what is not. debug=yes and debug=no are accepted, too.",
    },
];
