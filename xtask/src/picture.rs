//! `cargo xtask picture`: what a terminal has shown, as an SVG for the documentation. `cargo xtask demo | cargo xtask picture
//! docs/demo.svg` draws the demo: sentences that begin with `==` stand out, and what was typed after a prompt.

use std::fmt::Write as _;
use std::io::Read as _;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};

/// Options of `cargo xtask picture`.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Where the picture goes
    file: PathBuf,
}

/// Longer lines end in `…`, as at a terminal's edge.
const COLUMNS: usize = 110;
/// Of a line, and of a letter of the fonts below, in pixels.
const LINE: usize = 18;
const LETTER: f64 = 7.83;
const MARGIN: usize = 14;

/// Draws standard input.
pub(crate) fn run(options: &Options) -> Result<ExitCode> {
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text).context("read standard input")?;
    if text.trim().is_empty() {
        bail!("nothing was shown: pipe something in, as `cargo xtask demo` does");
    }
    let path = &options.file;
    std::fs::write(path, svg(&text)).with_context(|| format!("write {}", path.display()))?;
    Ok(ExitCode::SUCCESS)
}

fn svg(text: &str) -> String {
    let lines: Vec<String> = text.trim().lines().map(cut).collect();
    let columns = lines.iter().map(|line| line.chars().count()).max().unwrap_or(0);
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "some hundred pixels")]
    let width = (columns as f64 * LETTER).ceil() as usize + 2 * MARGIN;
    let height = lines.len() * LINE + 2 * MARGIN;
    let mut picture = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\">\n\
         <rect width=\"100%\" height=\"100%\" rx=\"8\" fill=\"#1d2026\"/>\n\
         <g font-family=\"ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace\" font-size=\"13\" fill=\"#c8ccd4\">\n"
    );
    for (number, line) in lines.iter().enumerate().filter(|(_, line)| !line.is_empty()) {
        let y = MARGIN + number * LINE + 13;
        let _ = writeln!(
            picture,
            "<text x=\"{MARGIN}\" y=\"{y}\" xml:space=\"preserve\"{}>{}</text>",
            look(line),
            escaped(line)
        );
    }
    picture + "</g>\n</svg>\n"
}

/// A sentence of whoever shows, something that was typed, or what programs said.
fn look(line: &str) -> &'static str {
    let is_typed = ["# ", "$ "].iter().any(|prompt| {
        line.split_once(prompt).is_some_and(|(user, _)| user.chars().all(char::is_alphanumeric))
    });
    match line {
        _ if line.starts_with("==") => " fill=\"#8fc7ff\" font-weight=\"bold\"",
        _ if is_typed => " fill=\"#a5d6a0\"",
        _ => "",
    }
}

fn cut(line: &str) -> String {
    let line = line.trim_end();
    match line.char_indices().nth(COLUMNS) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line.to_owned(),
    }
}

fn escaped(text: &str) -> String {
    // XML 1.0 has no place for control characters, however written.
    let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::svg;

    #[test]
    fn lines_are_as_they_were_shown() {
        let picture = svg("== A & B.\n\n# usherctl <x>\n  of\x1b[0m it\nalice$ id\n");
        assert!(picture.contains("font-weight=\"bold\">== A &amp; B.</text>"), "{picture}");
        assert!(picture.contains("#a5d6a0\"># usherctl &lt;x&gt;</text>"), "{picture}");
        assert!(picture.contains("\"preserve\">  of [0m it</text>"), "{picture}");
        assert!(picture.contains("#a5d6a0\">alice$ id</text>"), "{picture}");
        assert_eq!(picture.matches("<text").count(), 4);
    }

    #[test]
    fn long_lines_end_at_the_edge() {
        let picture = svg(&"é".repeat(500));
        assert!(picture.contains(&format!(">{}…</text>", "é".repeat(110))));
        assert!(picture.starts_with("<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"898\""), "{picture}");
    }
}
