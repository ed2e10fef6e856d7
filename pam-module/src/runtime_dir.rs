//! Whether a runtime directory is fit to be named to a user's processes (contract/pam.md section 5).

use std::fs::symlink_metadata;
use std::io;
use std::os::unix::fs::MetadataExt;

use rustix::fs::{AtFlags, CWD, FileType, StatxFlags, statx};
use rustix::io::Errno;

/// Checks that the path is absolute and is a directory of the user's own, not a link to one. The error says what is
/// wrong, with the path.
pub(crate) fn check(path: &str, uid: u32) -> Result<(), String> {
    if !path.starts_with('/') || path.contains('\0') {
        return Err(format!("'{path}' is not an absolute path"));
    }
    let (kind, owner) = look(path).map_err(|e| format!("{path}: {e}"))?;
    if kind != FileType::Directory {
        return Err(format!("{path} is not a directory"));
    }
    if owner != uid {
        return Err(format!("{path} belongs to uid {owner}, not to {uid}"));
    }
    Ok(())
}

/// The address of the user's bus, if its socket is there at this moment.
pub(crate) fn bus_address(path: &str) -> Option<String> {
    let is_socket = look(&format!("{path}/bus")).is_ok_and(|(kind, _)| kind == FileType::Socket);
    is_socket.then(|| format!("unix:path={path}/bus"))
}

/// What is there, not followed, and whose it is; as the kernel knows it. A file system that the user serves (FUSE) is not
/// asked: were its server to hang, so would every login of the user's, root's own su included.
fn look(path: &str) -> io::Result<(FileType, u32)> {
    let flags = AtFlags::SYMLINK_NOFOLLOW | AtFlags::NO_AUTOMOUNT | AtFlags::STATX_DONT_SYNC;
    match statx(CWD, path, flags, StatxFlags::TYPE | StatxFlags::UID) {
        Ok(status) => Ok((FileType::from_raw_mode(status.stx_mode.into()), status.stx_uid)),
        // Before Linux 4.11.
        Err(Errno::NOSYS) => symlink_metadata(path).map(|m| (FileType::from_raw_mode(m.mode()), m.uid())),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;
    use std::os::unix::net::UnixListener;

    use super::*;

    #[test]
    fn only_a_real_directory_of_the_user_passes() {
        let dir = tempfile::tempdir().unwrap_or_else(|e| unreachable!("{e}"));
        let uid = symlink_metadata(dir.path()).map(|m| m.uid()).unwrap_or_default();
        let path = |name: &str| dir.path().join(name).to_string_lossy().into_owned();
        let good = path("");
        assert_eq!(check(&good, uid), Ok(()));
        assert!(check(&good, uid + 1).is_err_and(|e| e.contains("belongs to")));
        let _ = symlink(dir.path(), path("link"));
        assert!(check(&path("link"), uid).is_err_and(|e| e.contains("not a directory")));
        let _ = std::fs::write(path("file"), "");
        assert!(check(&path("file"), uid).is_err());
        assert!(check(&path("missing"), uid).is_err());
        assert!(check("relative", uid).is_err());
        assert!(check("", uid).is_err());
    }

    #[test]
    fn the_bus_counts_only_as_a_socket() {
        let dir = tempfile::tempdir().unwrap_or_else(|e| unreachable!("{e}"));
        let path = dir.path().to_string_lossy().into_owned();
        assert_eq!(bus_address(&path), None);
        let _ = std::fs::write(dir.path().join("bus"), "");
        assert_eq!(bus_address(&path), None);
        let _ = std::fs::remove_file(dir.path().join("bus"));
        let _listener = UnixListener::bind(dir.path().join("bus"));
        assert_eq!(bus_address(&path), Some(format!("unix:path={path}/bus")));
    }
}
