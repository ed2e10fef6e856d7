//! Debian systems that are booted with an init other than systemd, and people who log in there.

#![allow(dead_code)] // Every test has its own need of these.

pub(crate) mod console;
pub(crate) mod image;
pub(crate) mod login;
pub(crate) mod story;
