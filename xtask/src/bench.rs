//! Login latency: what an application waits for in pam_open_session and pam_close_session, beside the kernel's own share.
//!
//! | case | what is timed | beside it |
//! |---|---|---|
//! | first login | no session, no manager | the bare `systemd --user` until `READY=1` |
//! | next login | manager already running | pam_permit only; mkdir, cgroup.procs and rename by hand |
//!
//! `usher-pam-load` measures in the machine, as a PAM application of its own, through the services `usher-bench` and
//! `permit-bench`; this module boots, runs it and prints.

use std::process::ExitCode;

use anyhow::{Result, ensure};
use usher_tests::Machine;

/// Measures in a machine of its own.
pub(crate) fn run() -> Result<ExitCode> {
    let machine = Machine::builder().try_boot()?;
    ensure!(
        machine.exists("/usr/bin/usher-pam-load"),
        "the measuring program usher-pam-load is not built: nothing was measured"
    );
    let _usherd = machine.start_usherd();
    print!("{}", machine.run(&["usher-pam-load"]).stdout);
    Ok(ExitCode::SUCCESS)
}
