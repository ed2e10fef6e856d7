//! Whether a home directory is there: a network may be down, a disk not mounted. Looking at it may hang, so only helper
//! processes do.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use usher_protocol::ids::Uid;

/// Whether this is a directory of that user's. The mount point of one that is yet to be mounted is mostly root's.
///
/// # Errors
/// What is there instead, for the log.
pub fn check(home: &Path, uid: Uid) -> Result<(), String> {
    let shown = home.display();
    let found =
        fs::metadata(home).map_err(|error| format!("cannot look at the home directory {shown}: {error}"))?;
    if !found.is_dir() {
        return Err(format!("the home directory {shown} is none"));
    }
    if found.uid() != uid.get() {
        return Err(format!("the home directory {shown} belongs to uid {}: is it mounted yet?", found.uid()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn a_directory_of_the_users_own() {
        let place = tempfile::tempdir().unwrap();
        let at = |name: &str| place.path().join(name);
        let me: Uid = rustix::process::geteuid().as_raw().try_into().unwrap();
        let other: Uid = 4_000_000.try_into().unwrap();
        fs::create_dir(at("home")).unwrap();
        fs::write(at("file"), "").unwrap();
        symlink("home", at("link")).unwrap();
        symlink("nowhere", at("broken")).unwrap();
        assert_eq!((check(&at("home"), me), check(&at("link"), me)), (Ok(()), Ok(())));
        assert!(check(&at("home"), other).unwrap_err().contains("is it mounted yet?"));
        for name in ["file", "broken", "nowhere", "file/below"] {
            assert!(check(&at(name), me).is_err(), "{name}");
        }
    }
}
