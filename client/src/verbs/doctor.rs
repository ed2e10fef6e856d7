//! Whether this machine is set up right.

use std::process::ExitCode;

use super::json_layout;
use crate::cli::Options;
use crate::doctor::{self, report};
use crate::render::json;
use crate::terminal;

/// Looks, shows, and says by the exit code how it is. Needs no usherd.
///
/// # Errors
/// None in practice: what is printed is plain data.
pub(super) fn run(options: &Options, out: &mut String) -> anyhow::Result<ExitCode> {
    let sections = doctor::examine(&options.socket);
    match json_layout(options) {
        Some(pretty) => out.push_str(&json::to_text(&report::all(&sections), pretty)?),
        None => {
            let style = report::Style { colour: terminal::has_colour(), columns: terminal::columns() };
            out.push_str(&report::to_text(&sections, style));
        }
    }
    Ok(report::exit_code(&sections))
}
