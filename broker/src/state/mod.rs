//! The files in /run/systemd that libsystemd reads and that usherd itself goes on from after a restart: one
//! representation, replaced by rename (contract/state-files.md).
//!
//! * [`mod@write`]: a record's text. Pure.
//! * [`parse`]: a text's record. Pure, and never panics whatever the text.
//! * [`files`]: where the texts are.

mod escape;
pub mod files;
pub mod parse;
pub mod write;

pub use escape::{escape, unescape};
pub use files::{Found, StateFiles};

#[cfg(test)]
mod tests;
