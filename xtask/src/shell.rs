//! A machine to try things in by hand.

use std::process::ExitCode;

use anyhow::{Context, Result};
use usher_tests::Machine;

const GREETING: &str = "
You are root on a machine of its own, with usherd and sshd running; nothing you do here touches your computer.
Users are alice and bob (password \"usher\"). Some things to try:

  ssh alice@localhost                     a session; look at `env | grep XDG` and `systemctl --user` in it
  usherctl                                who is logged in; also `usherctl session-status ID`
  findmnt /run/user/1001                  alice's runtime directory, while she is logged in
  usherctl enable-linger bob              bob's user manager without bob; `usherctl user-status bob`
  pkill -9 usherd; usherd &               sessions survive the broker

`exit` ends the machine and everything in it.
";

const BASHRC: &str = "PS1='[usher sandbox] \\u:\\w\\$ '\nalias ls='ls --color=auto'\n";

/// Boots, starts the daemons, and waits for the person to leave.
pub(crate) fn run() -> Result<ExitCode> {
    let machine = Machine::builder().file("/root/.bashrc", BASHRC, 0o644, 0).try_boot()?;
    let _usherd = machine.start_usherd();
    machine.start_sshd();
    println!("{GREETING}");
    // script(1) gives the shell a terminal of the machine; the caller's is not known in there.
    let mut shell =
        machine.interactive(&["script", "--quiet", "--return", "--command", "cd; exec bash -i", "/dev/null"]);
    shell.stdin(std::process::Stdio::inherit()).status().context("run a shell in the machine")?;
    Ok(ExitCode::SUCCESS)
}
