//! The terminal at the other end of standard output, if there is one.

use std::io::{IsTerminal as _, stdout};

/// Whether standard output is a terminal.
pub fn is_terminal() -> bool {
    stdout().is_terminal()
}

/// How many columns a line may have: the terminal's width, or no limit where there is no terminal. `COLUMNS` wins,
/// as everywhere.
pub fn columns() -> Option<usize> {
    if !is_terminal() {
        return None;
    }
    let stated = std::env::var("COLUMNS").ok().and_then(|text| text.parse().ok());
    let actual = || rustix::termios::tcgetwinsize(stdout()).ok().map(|size| usize::from(size.ws_col));
    stated.or_else(actual).filter(|&columns| columns > 0)
}
