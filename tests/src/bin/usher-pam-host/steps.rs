//! The steps, one after the other:
//!
//! | step | does |
//! |---|---|
//! | `acct`, `open`, `close` | pam_acct_mgmt, pam_open_session, pam_close_session |
//! | `cred`, `uncred` | pam_setcred: establish, delete |
//! | `end` | pam_end with the status of the last call; the next step that needs one starts a new handle |
//! | `end-well` | the same after a call that succeeds |
//! | `fork` … `done` | a child takes the steps up to the `done` that belongs to it, then ends; this process goes on |
//! | `wait` | until a child has ended, and says how |
//! | `become=USER` | gives up groups and privileges for USER's, for good |
//! | `await=PATH` | until there is such a file |
//! | `stay` | for ever |
//! | `exit`, `abort` | ends without another word to PAM, the second one as a crash does |
//! | `exec` … | the other words are a program to become |

use std::ffi::OsStr;
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, abort, id};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use nix::sys::wait::wait;
use nix::unistd::{User, setgroups, setresgid, setresuid};
use usher_pam::{Credentials, PamError, Transaction};

use crate::raw;

/// How often a file is looked for.
const PAUSE: Duration = Duration::from_millis(2);

/// Takes them.
pub(crate) fn take(service: &str, user: &str, steps: &[String], out: &mut dyn Write) -> Result<()> {
    let mut host = Host { service, user, pam: None, out };
    host.take(steps)?;
    // As an application that is badly written, or has crashed: without pam_end.
    std::mem::forget(host.pam.take());
    Ok(())
}

struct Host<'a> {
    service: &'a str,
    user: &'a str,
    pam: Option<Transaction>,
    out: &'a mut dyn Write,
}

impl Host<'_> {
    fn take(&mut self, mut steps: &[String]) -> Result<()> {
        while let Some((step, rest)) = steps.split_first() {
            steps = rest;
            match step.split_once('=').unwrap_or((step, "")) {
                ("acct", _) => self.call(step, Transaction::acct_mgmt)?,
                ("cred", _) => self.call(step, |pam| pam.setcred(Credentials::Establish))?,
                ("uncred", _) => self.call(step, |pam| pam.setcred(Credentials::Delete))?,
                ("open", _) => self.open()?,
                ("close", _) => self.call(step, Transaction::close_session)?,
                ("end", _) => drop(self.pam.take()),
                ("end-well", _) => {
                    // Any call that succeeds: pam_end is told of the last one.
                    self.pam()?.putenv("ENDS", OsStr::new("well"))?;
                    drop(self.pam.take());
                }
                ("fork", _) => {
                    let (inner, after) = up_to_done(rest)?;
                    steps = after;
                    self.fork(inner)?;
                }
                ("wait", _) => {
                    let status = wait().context("wait for a child")?;
                    self.say("wait", &format!("{status:?}"))?;
                }
                ("become", name) => become_user(name)?,
                ("await", path) => {
                    while !Path::new(path).exists() {
                        std::thread::sleep(PAUSE);
                    }
                }
                ("stay", _) => {
                    self.say("stay", "")?;
                    loop {
                        std::thread::park();
                    }
                }
                ("exit", _) => {
                    std::mem::forget(self.pam.take());
                    std::process::exit(0);
                }
                ("abort", _) => abort(),
                ("exec", _) => {
                    let (program, arguments) = rest.split_first().context("exec what?")?;
                    return Err(Command::new(program).args(arguments).exec()).context("exec");
                }
                _ => bail!("unknown step {step}"),
            }
        }
        Ok(())
    }

    fn pam(&mut self) -> Result<&mut Transaction> {
        if self.pam.is_none() {
            self.pam = Some(Transaction::start(self.service, self.user)?);
        }
        self.pam.as_mut().context("a handle")
    }

    fn call(
        &mut self,
        step: &str,
        call: impl FnOnce(&mut Transaction) -> Result<(), PamError>,
    ) -> Result<()> {
        let result = match call(self.pam()?) {
            Ok(()) => "ok".to_owned(),
            Err(error) => format!("failed {}", error.code),
        };
        self.say(step, &result)
    }

    /// Says which session it is, for which the module's word counts: libpam may report success without one.
    fn open(&mut self) -> Result<()> {
        let pam = self.pam()?;
        let result = match pam.open_session() {
            Ok(()) => {
                let variables = pam.getenvlist()?;
                let session = variables.into_iter().find(|(name, _)| name == "XDG_SESSION_ID");
                session.map_or_else(|| "none".to_owned(), |(_, id)| id.to_string_lossy().into_owned())
            }
            Err(error) => format!("failed {}", error.code),
        };
        self.say("open", &result)
    }

    fn fork(&mut self, steps: &[String]) -> Result<()> {
        let life = || {
            if let Err(error) = self.take(steps) {
                eprintln!("usher-pam-host: {error:#}");
            }
        };
        raw::child(life).map(drop)
    }

    fn say(&mut self, step: &str, result: &str) -> Result<()> {
        // In one piece: children write to the same place.
        let line = format!("{} {step} {result}", id());
        self.out.write_all(format!("{}\n", line.trim_end()).as_bytes()).context("write")?;
        self.out.flush().context("write")
    }
}

/// The steps between a `fork` and its `done`, and those after it.
fn up_to_done(steps: &[String]) -> Result<(&[String], &[String])> {
    let mut depth = 1;
    for (index, step) in steps.iter().enumerate() {
        match step.as_str() {
            "fork" => depth += 1,
            "done" => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Ok((&steps[..index], &steps[index + 1..]));
        }
    }
    bail!("fork without done")
}

fn become_user(name: &str) -> Result<()> {
    let user = User::from_name(name).context("look up a user")?.with_context(|| format!("no user {name}"))?;
    setgroups(&[user.gid]).context("setgroups")?;
    setresgid(user.gid, user.gid, user.gid).context("setresgid")?;
    setresuid(user.uid, user.uid, user.uid).context("setresuid")
}
