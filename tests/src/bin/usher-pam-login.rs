//! A login for tests that want many of them, or want to say to the moment what each one does: a PAM application that opens
//! a session, says what it was given, and does what it is told on standard input. Runs in the machine, as root.
//!
//! Says `in PID SESSION RUNTIME-DIR MICROSECONDS` (a hyphen for what it was not given). Then it does, line by line:
//! - `close`: closes the session, and says `closed MICROSECONDS`;
//! - `leave` or `leave stubborn`: starts a process of the user that stays behind, one that ignores SIGTERM and SIGHUP, and
//!   says `left PID`.
//!
//! At the end of standard input it ends without closing anything, as an application that dies.

#![forbid(unsafe_code)]

use std::ffi::OsStr;
use std::io::{BufRead, Read, Write};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};
use clap::Parser;
use nix::unistd::User;
use usher_pam::{Item, Transaction};

#[derive(Debug, Parser)]
#[command(name = "usher-pam-login", about = "A login that does as it is told; run by the tests")]
struct Options {
    /// The PAM service
    #[arg(long)]
    service: String,
    /// Who logs in
    user: String,
}

fn main() -> Result<()> {
    let Options { service, user } = Options::parse();
    let mut pam = Transaction::start(&service, &user)?;
    pam.set_item(Item::Tty, OsStr::new("test"))?;
    let start = Instant::now();
    pam.open_session()?;
    let took = start.elapsed();
    let environment = pam.getenvlist()?;
    let value = |wanted: &str| {
        let found = environment.iter().find(|(name, _)| name == wanted);
        found.map_or("-".to_owned(), |(_, value)| value.to_string_lossy().into_owned())
    };
    let (pid, took) = (std::process::id(), took.as_micros());
    say(&format!("in {pid} {} {} {took}", value("XDG_SESSION_ID"), value("XDG_RUNTIME_DIR")))?;
    for line in std::io::stdin().lock().lines() {
        match line.context("read standard input")?.as_str() {
            "close" => {
                let start = Instant::now();
                pam.close_session()?;
                say(&format!("closed {}", start.elapsed().as_micros()))?;
            }
            "leave" => leave(&user, "")?,
            "leave stubborn" => leave(&user, "trap '' TERM HUP;")?,
            word => bail!("I do not know how to `{word}`"),
        }
    }
    // As a process that was killed: nothing is closed.
    std::process::exit(0);
}

fn leave(user: &str, first: &str) -> Result<()> {
    let account = User::from_name(user).context("look up the user")?.context("there is no such user")?;
    let script = format!("{first} echo; exec sleep 1000 >/dev/null");
    let mut left = Command::new("/bin/sh")
        .args(["-c", &script])
        .uid(account.uid.as_raw())
        .gid(account.gid.as_raw())
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .context("start a process that stays")?;
    // It has done what it was to do first when it says something.
    let said = left.stdout.take().context("it has no standard output")?.read(&mut [0; 8]);
    ensure!(said.is_ok_and(|length| length > 0), "the process that was to stay has ended");
    say(&format!("left {}", left.id()))
}

fn say(line: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}").and_then(|()| out.flush()).context("write to standard output")
}
