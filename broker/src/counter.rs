//! The session ids that may have been given away in this boot, so that none is given twice, whatever dies when.

use std::fs;
use std::io::ErrorKind;

use crate::crash;
use crate::sys::{Context, Result};

const FILE: &str = "/run/usher/next-session";
const FRESH: &str = "/run/usher/next-session.new";

/// Remembers that ids below this one may have been given away.
///
/// # Errors
/// The file cannot be replaced.
pub(crate) fn write(up_to: u64) -> Result<()> {
    fs::write(FRESH, format!("{up_to}\n")).context("write", FRESH)?;
    crash::point(crash::ID_COUNTER_WRITTEN);
    fs::rename(FRESH, FILE).context("replace", FILE)
}

/// What was remembered; 0 if nothing was.
///
/// # Errors
/// The file cannot be read, or makes no sense.
pub(crate) fn read() -> Result<u64> {
    match fs::read_to_string(FILE) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(0),
        text => text
            .context("read", FILE)?
            .trim()
            .parse()
            .map_err(std::io::Error::other)
            .context("understand", FILE),
    }
}
