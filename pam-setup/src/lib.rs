//! PAM configuration as libpam reads it (pam.d(5)): what runs when somebody logs in, and from which file and line.
//! Without libpam, and without writing anything: `usher-pam-setup` edits by it, `usherctl doctor` judges by it.
//!
//! Top down: [`PamConfig`] is the directory, under `/` or another root; [`Stack`] is what a service runs, with
//! inclusions followed; [`check`] says what is wrong with a stack; [`Layout`] says which file the distribution's
//! logins share; [`plan`] makes a new file of an old one; `parse` reads one file. `cli` is the program's command line, which needs clap
//! and is there with the feature `command-line` only.
//!
//! Configuration files are bytes that anybody may have written. Nothing here panics on them, follows them in circles
//! or takes more than a bounded amount of them.

#![forbid(unsafe_code)]
#![deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod broker;
pub mod check;
#[cfg(feature = "command-line")]
pub mod cli;
mod config;
mod control;
mod diff;
mod layout;
mod parse;
pub mod plan;
mod problem;
mod stack;
#[cfg(test)]
mod tests;

pub use broker::{Broker, MODULE};
pub use config::{CANDIDATE, ConfigError, Found, PamConfig};
pub use control::{Action, Control};
pub use diff::unified as unified_diff;
pub use layout::Layout;
pub use parse::{Group, Line, Statement, parse};
pub use problem::{Problem, Severity};
pub use stack::{Module, Stack};
