//! The terminal at the other end of standard output, if there is one.

use std::io::{IsTerminal as _, stdout};

/// Whether standard output is a terminal.
pub fn is_terminal() -> bool {
    stdout().is_terminal()
}

/// Whether what is written may be coloured: on a terminal that can, unless NO_COLOR is set (no-color.org).
pub fn has_colour() -> bool {
    let set = |name| std::env::var_os(name).filter(|value| !value.is_empty());
    is_terminal() && set("NO_COLOR").is_none() && set("TERM").is_some_and(|term| term != "dumb")
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
