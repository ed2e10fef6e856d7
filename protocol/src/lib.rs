//! What usherd, pam_usher.so and usherctl say to each other, and how it looks on the wire.
//!
//! * [`ids`]: the field's nouns as types. A value that has one of these types has been checked.
//! * [`session`]: classes, types and states of sessions and users, and the rules that hang on them.
//! * [`messages`]: the methods of `io.usher.Broker`: parameters, replies, errors.
//! * [`wire`]: varlink's framing and envelopes, sans-IO: bytes in, frames out.
//! * [`blocking`] (feature `blocking`): one connection with a deadline, over a Unix socket.
//! * [`login_wire`] (feature `blocking`): the few messages of a login, for a shared object that is to be small.
//! * [`interface`]: the interface descriptions in varlink's own language, for introspection.
//!
//! Nothing here reads a clock, the environment or a file; only [`blocking`] makes system calls.

#![forbid(unsafe_code)]
#![deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[cfg(feature = "blocking")]
pub mod blocking;
#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzzing;
pub mod ids;
pub mod interface;
#[cfg(feature = "blocking")]
pub mod login_wire;
pub mod messages;
pub mod session;
pub mod wire;

/// Where usherd listens. Mode 0666: every peer is identified by the kernel, not by the file's mode.
pub const SOCKET_PATH: &str = "/run/usher/broker";
/// Where it listens for root alone, mode 0600: a queue in which nobody but root stands. All logins come this way.
pub const ROOT_SOCKET_PATH: &str = "/run/usher/broker.root";
