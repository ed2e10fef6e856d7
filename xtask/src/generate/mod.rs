//! `cargo xtask generate`: manual pages and completions, made from what the programs themselves know: their command lines,
//! the module's arguments, the comments of usher.conf. They are checked in, so that packagers need nothing but files; with
//! `--check`, nothing is written, and it is a failure if something would change.

mod command;
mod completions;
mod manuals;
#[allow(dead_code, reason = "the rest is for the module itself")]
#[path = "../../../pam-module/src/documented.rs"]
mod pam_arguments;
mod roff;
mod settings;

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};

use crate::install::layout::tree;

/// Options of `cargo xtask generate`.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Write nothing; fail if anything would change
    #[arg(long)]
    check: bool,
}

/// Writes or checks everything.
pub(crate) fn run(options: &Options) -> Result<ExitCode> {
    let mut stale = Vec::new();
    for (path, text) in everything() {
        let place = tree().join("packaging").join(&path);
        if fs::read_to_string(&place).is_ok_and(|now| now == text) {
            continue;
        }
        if options.check {
            stale.push(path.display().to_string());
            continue;
        }
        let write = || {
            fs::create_dir_all(place.parent().unwrap_or(&place))?;
            fs::write(&place, &text)
        };
        write().with_context(|| format!("write {}", place.display()))?;
        println!("packaging/{}", path.display());
    }
    if stale.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    eprintln!("These are not what the code says now; run `cargo xtask generate`: {}", stale.join(", "));
    Ok(ExitCode::FAILURE)
}

/// Every generated file: its path in packaging/, and its text.
fn everything() -> Vec<(PathBuf, String)> {
    let man = manuals::all().into_iter().map(|(name, text)| (PathBuf::from("man").join(name), text));
    let completions =
        completions::all().into_iter().map(|(name, text)| (PathBuf::from("completions").join(name), text));
    man.chain(completions).collect()
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn what_is_checked_in_is_what_the_code_says() {
        for (path, text) in everything() {
            let now = fs::read_to_string(tree().join("packaging").join(&path)).unwrap_or_default();
            assert!(now == text, "packaging/{}: run `cargo xtask generate`", path.display());
        }
    }

    /// The formatters that people have, as strict as they can be. Not every machine has both.
    #[test]
    fn formatters_have_nothing_to_complain_of() {
        for (path, text) in everything() {
            if !path.starts_with("man") {
                continue;
            }
            let file = tempfile::NamedTempFile::new().unwrap();
            fs::write(&file, &text).unwrap();
            for (program, arguments) in [
                ("man", &["--warnings", "-E", "UTF-8", "-l", "-Tutf8", "-Z"][..]),
                ("mandoc", &["-T", "lint", "-W", "style"]),
            ] {
                let output = match Command::new(program).args(arguments).arg(file.path()).output() {
                    Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                        println!("SKIPPED: no {program} here");
                        continue;
                    }
                    output => output.unwrap(),
                };
                let errors = String::from_utf8_lossy(&output.stderr);
                let lint =
                    if program == "mandoc" { String::from_utf8_lossy(&output.stdout) } else { "".into() };
                let path = path.display();
                assert!(output.status.success() && errors.is_empty(), "{program} {path}: {errors}{lint}");
            }
        }
    }

    #[test]
    fn nothing_else_is_there() {
        let known: Vec<_> =
            everything().into_iter().map(|(path, _)| tree().join("packaging").join(path)).collect();
        for directory in known.iter().filter_map(|path| path.parent()) {
            for entry in directory.read_dir().unwrap() {
                let path = entry.unwrap().path();
                assert!(path.is_dir() || known.contains(&path), "{} is made by nobody", path.display());
            }
        }
    }
}
