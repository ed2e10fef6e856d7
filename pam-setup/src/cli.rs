//! The command line of `usher-pam-setup`. Public for whatever makes manual pages and completions of it.

use std::path::PathBuf;

use clap::{CommandFactory, Parser, Subcommand};

/// The command line as clap describes it.
pub fn command() -> clap::Command {
    Args::command()
}

/// All of it.
#[derive(Debug, Parser)]
#[command(
    name = "usher-pam-setup",
    version,
    about = "Puts pam_usher.so into the PAM stack that logins share, and takes it out again",
    after_help = "Exit status: 0 done, or nothing to do; 1 failed, and nothing is changed; 2 wrong usage.",
    max_term_width = 110
)]
pub struct Args {
    /// Which machine, which file.
    #[command(flatten)]
    pub common: Common,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What all commands know.
#[derive(Debug, clap::Args)]
pub struct Common {
    /// Work on the machine under this directory
    #[arg(long, value_name = "DIR", default_value = "/", global = true)]
    pub root: PathBuf,
    /// The file of /etc/pam.d to change, in place of the one that is recognised
    #[arg(long, value_name = "FILE", global = true, value_parser = file_name)]
    pub service: Option<String>,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show which services register their logins with whom, and what is wrong
    Status {
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Put pam_usher.so into the stack; where it is already, change nothing
    Install {
        /// How.
        #[command(flatten)]
        change: Change,
        /// Take pam_systemd.so, pam_elogind.so and their like out
        #[arg(long)]
        replace: bool,
    },
    /// Take out what install has put in, and put back what it has taken out
    Remove {
        /// How.
        #[command(flatten)]
        change: Change,
    },
    /// Open and close a session of this service
    #[command(hide = true)]
    Trial {
        /// The service
        service: String,
    },
}

/// What the commands that change something know.
#[derive(Debug, clap::Args)]
pub struct Change {
    /// Show what would change, and change nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Do not open a session by way of trial, neither before the change nor after it
    #[arg(long)]
    pub no_test: bool,
}

/// The name of a file in /etc/pam.d, with or without that directory.
fn file_name(text: &str) -> Result<String, String> {
    let name = text.strip_prefix("/etc/pam.d/").unwrap_or(text);
    if name.is_empty() || name.contains('/') || name.starts_with('.') {
        return Err("it has to be the name of a file in /etc/pam.d".to_owned());
    }
    Ok(name.to_owned())
}
