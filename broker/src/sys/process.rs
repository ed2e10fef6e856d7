//! What /proc says of a process by its number. Whoever holds its pidfd knows afterwards whether it was that process.

use super::{Context, Result, SysError, proc};

/// What /proc says of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Facts {
    /// The user, if it is one and the same: its real, effective, saved and file system uids. A program that acts for somebody
    /// else at the moment, or could, belongs to nobody.
    pub owner: Option<u32>,
    /// Whether it is the kernel's own.
    pub kernel_thread: bool,
}

/// Looks.
///
/// # Errors
/// [`SysError::is_gone`] if there is no such process.
pub fn facts(pid: u32) -> Result<Facts> {
    let path = format!("/proc/{pid}/status");
    let status = proc::read(&path).context("read", &path)?;
    parse(&String::from_utf8_lossy(&status))
        .ok_or_else(|| SysError::other("understand", &path, "unknown format"))
}

/// The name comes first, and line ends in it are escaped: proc_pid_status(5).
fn parse(status: &str) -> Option<Facts> {
    let value = |key: &str| status.lines().find_map(|line| line.strip_prefix(key));
    let uids = value("Uid:")?.split_ascii_whitespace().map(str::parse);
    let uids = uids.collect::<Result<Vec<u32>, _>>().ok()?;
    let [real, effective, saved, file_system] = uids[..] else { return None };
    let same = [effective, saved, file_system].iter().all(|uid| *uid == real);
    // The kernel's own have no memory.
    let kernel_thread =
        value("VmSize:").is_none() && value("State:").is_some_and(|state| !state.contains('Z'));
    Some(Facts { owner: same.then_some(real), kernel_thread })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_belongs_to_one_user_or_to_none() {
        let status =
            |uids: &str| format!("Name:\tUid:\\n0\nState:\tS (sleeping)\nUid:\t{uids}\nVmSize:\t1 kB\n");
        let owner = |uids: &str| parse(&status(uids)).map(|facts| facts.owner);
        assert_eq!(owner("1000\t1000\t1000\t1000"), Some(Some(1000)));
        for other in ["1000\t0\t0\t0", "0\t1000\t1000\t1000", "1000\t1000\t0\t1000", "1000\t1000\t1000\t0"] {
            assert_eq!(owner(other), Some(None), "{other}");
        }
        for odd in ["", "1000", "1000\t1000\t1000", "x\t1\t1\t1", "1\t1\t1\t1\t1"] {
            assert_eq!(owner(odd), None, "{odd}");
        }
    }

    #[test]
    fn the_kernel_s_own_are_told_apart() {
        let own = facts(std::process::id()).unwrap();
        assert_eq!(own, Facts { owner: Some(rustix::process::geteuid().as_raw()), kernel_thread: false });
        let thread = "Name:\tkworker\nState:\tI (idle)\nUid:\t0\t0\t0\t0\n";
        assert_eq!(parse(thread), Some(Facts { owner: Some(0), kernel_thread: true }));
        assert!(facts(4_194_305).unwrap_err().is_gone());
    }
}
