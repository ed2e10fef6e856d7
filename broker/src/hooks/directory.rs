//! Which programs are hooks. They run as root, so nobody but root may have had a hand in them.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs::{self, Metadata};
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use crate::installed;

/// The administrator's and the packages', in this order: of two files with one name the first counts.
pub(super) static DIRECTORIES: LazyLock<[PathBuf; 2]> =
    LazyLock::new(|| [installed::etc("hooks.d"), installed::lib("hooks.d")]);

/// What editors and package managers leave beside a file.
const LEFTOVERS: [&str; 7] = ["~", ".bak", ".rpmnew", ".rpmorig", ".rpmsave", ".pacnew", ".pacsave"];

/// What there is.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Listing {
    /// Hooks, in the order in which they run.
    pub(super) hooks: Vec<PathBuf>,
    /// What is not run and why, for the administrator.
    pub(super) refused: Vec<(PathBuf, String)>,
}

/// Whether there is anything at all in the directories: a look of microseconds, for every event there is.
pub(super) fn is_empty() -> bool {
    let some =
        |directory: &PathBuf| fs::read_dir(directory).is_ok_and(|mut entries| entries.next().is_some());
    !DIRECTORIES.iter().any(some)
}

/// Looks at the machine's directories.
pub(super) fn list() -> Listing {
    list_in(&DIRECTORIES.each_ref().map(PathBuf::as_path), Path::new("/"), 0)
}

/// Whether a hook is a program or a script that says what runs it. execvp(3) gives everything else to a shell, which would run a
/// text that became executable by mistake.
pub(super) fn is_program(hook: &Path) -> io::Result<bool> {
    let mut head = Vec::new();
    fs::File::open(hook)?.take(4).read_to_end(&mut head)?;
    Ok(head.starts_with(b"#!") || head == *b"\x7fELF")
}

/// Everything from `top` downwards has to be that owner's.
fn list_in(directories: &[&Path], top: &Path, owner: u32) -> Listing {
    let mut listing = Listing::default();
    let mut found: BTreeMap<OsString, PathBuf> = BTreeMap::new();
    for directory in directories {
        let entries = match fs::read_dir(directory) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => {
                listing.refused.push((directory.to_path_buf(), format!("cannot be listed: {error}")));
                continue;
            }
        };
        for name in entries.flatten().map(|entry| entry.file_name()).filter(|name| is_name(name)) {
            let path = directory.join(&name);
            found.entry(name).or_insert(path);
        }
    }
    for path in found.into_values() {
        match judge(&path, top, owner) {
            Ok(true) => listing.hooks.push(path),
            Ok(false) => {}
            Err(why) => listing.refused.push((path, why)),
        }
    }
    listing
}

fn is_name(name: &OsStr) -> bool {
    let bytes = name.as_encoded_bytes();
    let text = name.to_string_lossy();
    !bytes.starts_with(b".")
        && !LEFTOVERS.iter().any(|end| text.ends_with(end))
        && ![".dpkg-", ".ucf-"].iter().any(|part| text.contains(part))
}

/// Whether a file is a hook. One that is masked, or that may not be executed by anybody, is switched off.
fn judge(path: &Path, top: &Path, owner: u32) -> Result<bool, String> {
    let real = path.canonicalize().map_err(|error| format!("leads nowhere: {error}"))?;
    if real == Path::new("/dev/null") {
        return Ok(false);
    }
    let file = real.metadata().map_err(|error| format!("cannot be looked at: {error}"))?;
    if !file.is_file() {
        return Err("is not a file".to_owned());
    }
    if file.mode() & 0o111 == 0 {
        return Ok(false);
    }
    // Who may write to a directory may put another file there. That goes for the link's directories, too.
    let ways = [path.parent(), Some(real.as_path())].into_iter().flatten();
    for part in ways.flat_map(Path::ancestors).filter(|part| part.starts_with(top)) {
        let part_of = part.metadata().map_err(|error| format!("{}: {error}", part.display()))?;
        is_safe(part, &part_of, owner)?;
    }
    Ok(true)
}

fn is_safe(path: &Path, metadata: &Metadata, owner: u32) -> Result<(), String> {
    let path = path.display();
    match (metadata.uid(), metadata.mode() & 0o022) {
        (uid, 0) if uid == owner || uid == 0 => Ok(()),
        (uid, 0) => Err(format!("{path} belongs to uid {uid} instead of root: chown root {path}")),
        _ => Err(format!("others than root may write to {path}: chmod go-w {path}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt, symlink};

    struct Place(tempfile::TempDir);

    impl Place {
        fn new() -> Self {
            let place = Self(tempfile::tempdir().unwrap());
            for directory in ["etc", "lib"] {
                fs::create_dir(place.at(directory)).unwrap();
                place.mode(directory, 0o755);
            }
            place
        }

        fn at(&self, path: &str) -> PathBuf {
            self.0.path().join(path)
        }

        fn mode(&self, path: &str, mode: u32) {
            fs::set_permissions(self.at(path), fs::Permissions::from_mode(mode)).unwrap();
        }

        fn file(&self, path: &str, mode: u32) {
            fs::write(self.at(path), "#!/bin/sh\n").unwrap();
            self.mode(path, mode);
        }

        /// Hooks, and refused files with the reasons, as paths in the place.
        fn list(&self) -> (Vec<String>, Vec<String>) {
            let owner = rustix::process::geteuid().as_raw();
            let listing = list_in(&[&self.at("etc"), &self.at("lib")], self.0.path(), owner);
            let shown = |path: &Path| path.strip_prefix(self.0.path()).unwrap().display().to_string();
            let hooks = listing.hooks.iter().map(|path| shown(path)).collect();
            let refused = listing.refused.iter().map(|(path, why)| format!("{}: {why}", shown(path)));
            (hooks, refused.collect())
        }
    }

    #[test]
    fn the_first_of_a_name_counts_and_names_are_the_order() {
        let place = Place::new();
        assert_eq!(place.list(), (vec![], vec![]));
        for (path, mode) in [
            ("lib/20-b", 0o755),
            ("etc/30-c", 0o700),
            ("lib/10-a", 0o755),
            ("etc/10-a", 0o755),
            ("lib/40-masked", 0o755),
            ("lib/50-off", 0o755),
            ("etc/50-off", 0o644),
            ("etc/README", 0o644),
            ("etc/.hidden", 0o755),
            ("etc/60-old~", 0o755),
            ("etc/60-old.rpmsave", 0o755),
            ("etc/60-old.dpkg-dist", 0o755),
        ] {
            place.file(path, mode);
        }
        symlink("/dev/null", place.at("etc/40-masked")).unwrap();
        symlink("../lib/20-b", place.at("etc/70-link")).unwrap();
        let hooks = ["etc/10-a", "lib/20-b", "etc/30-c", "etc/70-link"].map(str::to_owned);
        assert_eq!(place.list(), (hooks.to_vec(), vec![]));
    }

    #[test]
    fn what_others_may_write_to_is_refused_with_the_remedy() {
        let place = Place::new();
        place.file("etc/1-group", 0o775);
        place.file("etc/2-others", 0o757);
        fs::create_dir(place.at("etc/3-directory")).unwrap();
        symlink("nowhere", place.at("etc/4-broken")).unwrap();
        fs::create_dir(place.at("open")).unwrap();
        place.mode("open", 0o777);
        place.file("open/hook", 0o755);
        symlink("../open/hook", place.at("etc/5-link")).unwrap();
        place.file("etc/6-good", 0o755);
        let (hooks, refused) = place.list();
        assert_eq!(hooks, ["etc/6-good"]);
        let words = ["chmod go-w", "chmod go-w", "is not a file", "leads nowhere", "open: chmod go-w"];
        assert_eq!(refused.len(), words.len(), "{refused:?}");
        for (number, (line, word)) in (1..).zip(refused.iter().zip(words)) {
            assert!(line.starts_with(&format!("etc/{number}-")), "{line}");
            assert!(line.contains(word.trim_start_matches("open: ")), "{line}");
        }
        place.mode("etc", 0o775);
        assert_eq!(place.list().0, [""; 0], "a directory that others may write to");
    }
}
