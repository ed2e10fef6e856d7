//! The application's side of PAM, for programs that log somebody in without asking anything: `usher-user-manager`
//! and the tests. A [`Transaction`] is one `pam_start`; what it opens is closed by whoever calls
//! [`Transaction::close_session`], and `pam_end` comes with drop.
//!
//! Nobody sits in front of these programs: messages from modules are swallowed, questions are answered with
//! PAM_CONV_ERR. Authentication is therefore not offered at all.
//!
//! `ffi.rs` is the only file with unsafe code, and knows nothing but libpam.

#![deny(unsafe_code)]

mod error;
mod ffi;
mod transaction;

pub use error::{Code, PamError};
pub use transaction::{Credentials, Item, Transaction};
