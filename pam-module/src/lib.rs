//! pam_usher.so: tells usherd of every login and logout, and gives the login its session's environment.
//!
//! A guest in other people's processes (sshd, login, su, cron), often as root: no threads, no signal handlers, nothing
//! on stdout or stderr, no descriptor left behind, no panic past an entry point; every wait has a budget. Whatever is
//! wrong with usherd, the login goes on, and one line in the system log says what is wrong and what to do.
//!
//! Top down: `ffi` is libpam's side and the only file with unsafe code; `open` and `close` are the two hooks;
//! `inputs` reads what the application, the environment and the administrator say, trusting none of it; `derive`
//! makes a session request of that; `broker` talks to usherd within budgets. All of it is written against the
//! trait in `pam`, so that the tests need no libpam.

#![deny(unsafe_code)]
#![deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod arguments;
mod broker;
mod close;
mod derive;
mod display;
mod documented;
mod ffi;
#[cfg(test)]
mod fuzzing;
mod inputs;
mod open;
mod pam;
mod runtime_dir;
#[cfg(test)]
mod tests;
mod text;
