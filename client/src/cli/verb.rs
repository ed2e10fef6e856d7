//! The verbs and their arguments (contract/loginctl.md section 1), in loginctl's order.

use clap::Subcommand;

/// What doctor's exit codes and marks mean.
const DOCTOR: &str = "\
Changes nothing and runs no program; takes a few seconds where something hangs. As root it sees everything; for
others, what cannot be seen is skipped. --json=short or pretty: a list of objects with check (a name that stays), verdict
(ok, note, warning, problem, skipped), finding and advice. Exit code: 0 if nothing is wrong (notes do not count), 1 if
there is a warning or a problem, 2 if nothing is known to be wrong but checks were skipped.";

/// What to do.
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub enum Verb {
    /// List sessions
    ListSessions,
    /// Show session status
    SessionStatus {
        /// Sessions; without one, the caller's
        #[arg(value_name = "ID")]
        sessions: Vec<String>,
    },
    /// Show properties of sessions, or of usherd
    ShowSession {
        /// Sessions; without one, usherd itself
        #[arg(value_name = "ID")]
        sessions: Vec<String>,
    },
    /// Bring a session to the foreground of its seat
    Activate {
        /// A session; without one, the caller's
        #[arg(value_name = "ID")]
        session: Option<String>,
    },
    /// Ask one or more sessions to lock their screens
    LockSession {
        /// Sessions; without one, the caller's
        #[arg(value_name = "ID")]
        sessions: Vec<String>,
    },
    /// Ask one or more sessions to unlock their screens
    UnlockSession {
        /// Sessions; without one, the caller's
        #[arg(value_name = "ID")]
        sessions: Vec<String>,
    },
    /// Ask all sessions to lock their screens
    LockSessions,
    /// Ask all sessions to unlock their screens
    UnlockSessions,
    /// Terminate one or more sessions
    TerminateSession {
        /// Sessions
        #[arg(value_name = "ID", required = true)]
        sessions: Vec<String>,
    },
    /// Send a signal to processes of a session
    KillSession {
        /// Sessions
        #[arg(value_name = "ID", required = true)]
        sessions: Vec<String>,
    },
    /// List users
    ListUsers,
    /// Show user status
    UserStatus {
        /// Users; without one, the caller
        #[arg(value_name = "USER")]
        users: Vec<String>,
    },
    /// Show properties of users, or of usherd
    ShowUser {
        /// Users; without one, usherd itself
        #[arg(value_name = "USER")]
        users: Vec<String>,
    },
    /// Keep one or more users' managers running without a login
    EnableLinger {
        /// Users; without one, the caller
        #[arg(value_name = "USER")]
        users: Vec<String>,
    },
    /// Run one or more users' managers only while they are logged in
    DisableLinger {
        /// Users; without one, the caller
        #[arg(value_name = "USER")]
        users: Vec<String>,
    },
    /// Terminate all sessions of one or more users
    TerminateUser {
        /// Users
        #[arg(value_name = "USER", required = true)]
        users: Vec<String>,
    },
    /// Send a signal to processes of a user
    KillUser {
        /// Users
        #[arg(value_name = "USER", required = true)]
        users: Vec<String>,
    },
    /// List seats
    ListSeats,
    /// Show seat status
    SeatStatus {
        /// Seats; without one, that of the caller's session
        #[arg(value_name = "SEAT")]
        seats: Vec<String>,
    },
    /// Show properties of seats, or of usherd
    ShowSeat {
        /// Seats; without one, usherd itself
        #[arg(value_name = "SEAT")]
        seats: Vec<String>,
    },
    /// Terminate all sessions of one or more seats
    TerminateSeat {
        /// Seats
        #[arg(value_name = "SEAT", required = true)]
        seats: Vec<String>,
    },
    /// Show this help
    Help,
    // Not one of loginctl's: last, so that what is nearest to a mistyped verb is one of its own.
    /// Look whether this machine is set up right, and say what to do
    #[command(after_help = DOCTOR)]
    Doctor,
}
