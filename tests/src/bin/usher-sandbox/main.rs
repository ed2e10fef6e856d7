//! `usher-sandbox` makes and enters the machines of `usher-tests`; the harness runs it, people do not.
//!
//! - `launch CGROUP`: on the host; makes the machine's cgroup and PID 1, waits for its end, removes the cgroup.
//! - `init`: is PID 1 of the machine; reads the specification, builds the machine, then reaps and listens.
//! - `enter …`: runs one command in a machine.

#![forbid(unsafe_code)]

mod cgroup;
mod enter;
mod etc;
mod init;
mod launch;
mod pam;
mod rootfs;
mod supervise;

use std::process::ExitCode;

/// The name in process lists: PID 1 is started as `/proc/self/exe`.
const NAME: &str = "usher-sandbox";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let result = match arguments.split_first() {
        Some((mode, rest)) if mode == "launch" => launch::launch(rest),
        Some((mode, _)) if mode == "init" => init::init(),
        Some((mode, rest)) if mode == enter::OUTSIDE => enter::outside(rest),
        Some((mode, rest)) if mode == enter::INSIDE => enter::inside(rest),
        _ => Err(anyhow::anyhow!("this program is run by usher's tests; try `cargo xtask shell`")),
    };
    result.unwrap_or_else(|error| {
        eprintln!("usher-sandbox: {error:#}");
        ExitCode::FAILURE
    })
}
