//! From root to the user: groups before PAM, whose modules may add some (pam_group), the rest after it, as login(1) does.

use std::ffi::CString;

use nix::unistd::{Gid, Uid, initgroups, setresgid, setresuid};

use crate::cli::Arguments;
use crate::failure::{Failure, Phase};

/// Takes the user's supplementary groups. Asks the user database, and so may wait for the network.
pub(crate) fn take_groups(arguments: &Arguments) -> Result<(), Failure> {
    let Arguments { name, gid, .. } = arguments;
    let groups = CString::new(name.as_str())
        .map_err(|_| nix::Error::EINVAL)
        .and_then(|name| initgroups(&name, Gid::from_raw(*gid)));
    groups.map_err(|e| Failure {
        phase: Phase::Group,
        what: format!("cannot take the groups of {name}: {e}"),
        advice: "does usherd run as root, with CAP_SETGID?",
    })
}

/// Gives up root for good: real, effective and saved ids.
pub(crate) fn drop_privileges(arguments: &Arguments) -> Result<(), Failure> {
    let (uid, gid) = (Uid::from_raw(arguments.uid), Gid::from_raw(arguments.gid));
    setresgid(gid, gid, gid).map_err(|e| Failure {
        phase: Phase::Group,
        what: format!("cannot change to gid {gid}: {e}"),
        advice: "does usherd run as root, with CAP_SETGID?",
    })?;
    setresuid(uid, uid, uid).map_err(|e| Failure {
        phase: Phase::User,
        what: format!("cannot change to uid {uid}: {e}"),
        advice: "does usherd run as root, with CAP_SETUID, and may the user have another process (RLIMIT_NPROC)?",
    })
}
