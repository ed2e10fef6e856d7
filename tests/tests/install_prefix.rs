//! `cargo xtask install` and `cargo xtask uninstall` with a directory to stage in: what is put there, that it is found from
//! there, what an administrator has changed, and what is left.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::LazyLock;

/// Where the programs are that were built together with this test.
fn built() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    test.ancestors().nth(2).unwrap().to_owned()
}

/// The same without what debuggers want, which is most of it.
fn programs() -> &'static Path {
    static STRIPPED: LazyLock<PathBuf> = LazyLock::new(|| {
        let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("stripped");
        fs::create_dir_all(&directory).unwrap();
        for name in ["usherd", "usherctl", "usher-user-manager", "usher-pam-setup", "libpam_usher.so"] {
            let (from, to) = (built().join(name), directory.join(name));
            assert!(Command::new("strip").arg("-o").arg(&to).arg(&from).status().unwrap().success());
        }
        directory
    });
    &STRIPPED
}

/// A directory that files are staged in.
struct Stage {
    root: tempfile::TempDir,
    prefix: &'static str,
    init: &'static str,
}

impl Stage {
    fn new(prefix: &'static str, init: &'static str) -> Self {
        Self { root: tempfile::tempdir().unwrap(), prefix, init }
    }

    fn at(&self, path: &str) -> PathBuf {
        self.root.path().join(path.trim_start_matches('/'))
    }

    fn xtask(&self, task: &str) -> Output {
        let mut command = Command::new(built().join("xtask"));
        command.args([task, "--prefix", self.prefix, "--init", self.init, "--pamdir", "/usr/lib/security"]);
        command.arg("--destdir").arg(self.root.path()).arg("--bin-dir").arg(programs());
        command.output().unwrap()
    }

    fn run(&self, program: &str, arguments: &[&str]) -> Output {
        Command::new(self.at(program)).args(arguments).output().unwrap()
    }

    /// All files and links, from the root, sorted.
    fn files(&self) -> Vec<String> {
        let mut files = Vec::new();
        let mut pending = vec![self.root.path().to_owned()];
        while let Some(directory) = pending.pop() {
            for entry in fs::read_dir(directory).unwrap() {
                let entry = entry.unwrap();
                match entry.file_type().unwrap().is_dir() {
                    true => pending.push(entry.path()),
                    false => {
                        files.push(entry.path().strip_prefix(self.root.path()).unwrap().display().to_string())
                    }
                }
            }
        }
        files.sort();
        files
    }
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[track_caller]
fn succeeds(output: Output) -> String {
    assert!(output.status.success(), "{}: {}", output.status, text(&output));
    text(&output)
}

#[track_caller]
fn fails(output: Output) -> String {
    assert!(!output.status.success(), "{}", text(&output));
    text(&output)
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

#[test]
fn what_is_installed_works_from_where_it_is() {
    let stage = Stage::new("/usr", "openrc");
    succeeds(stage.xtask("install"));
    for (path, expected) in [
        ("/usr/sbin/usherd", 0o755),
        ("/usr/sbin/usher-pam-setup", 0o755),
        ("/usr/bin/usherctl", 0o755),
        ("/usr/lib/usher/usher-user-manager", 0o755),
        ("/usr/lib/security/pam_usher.so", 0o644),
        ("/usr/lib/usher/managers/systemd.conf", 0o644),
        ("/usr/share/dbus-1/system.d/org.freedesktop.login1.conf", 0o644),
        ("/usr/share/polkit-1/actions/org.freedesktop.login1.policy", 0o644),
        ("/usr/share/man/man8/usherd.8", 0o644),
        ("/usr/share/bash-completion/completions/usherctl", 0o644),
        ("/etc/usher/usher.conf", 0o644),
        ("/etc/init.d/usherd", 0o755),
    ] {
        assert_eq!(mode(&stage.at(path)), expected, "{path}");
    }
    assert!(!stage.at("/etc/sv").exists() && !stage.at("/etc/dinit.d").exists(), "of another init");
    let version = succeeds(stage.run("/usr/bin/loginctl", &["--version"]));
    assert!(version.contains(env!("CARGO_PKG_VERSION")), "{version}");
    // The shipped configuration, read by the shipped program.
    let root = stage.root.path().to_str().unwrap();
    let checked = succeeds(stage.run("/usr/sbin/usherd", &["--check", "--root", root]));
    assert!(checked.contains("/etc/usher/usher.conf: read"), "{checked}");

    let stage = Stage::new("/opt/usher", "s6");
    succeeds(stage.xtask("install"));
    let script = fs::read_to_string(stage.at("/etc/s6/usherd/run")).unwrap();
    assert!(script.contains("/opt/usher/sbin/usherd") && !script.contains("/usr/sbin/usherd"), "{script}");
}

#[test]
fn a_second_time_changes_nothing_and_what_was_changed_stays() {
    let stage = Stage::new("/usr", "runit");
    let first = succeeds(stage.xtask("install"));
    assert!(first.contains("install 0755"), "{first}");
    let files = stage.files();
    assert_eq!(succeeds(stage.xtask("install")), "");
    assert_eq!(stage.files(), files);

    let conf = stage.at("/etc/usher/usher.conf");
    fs::write(&conf, "[Login]\nKillUserProcesses=perhaps\n").unwrap();
    let root = stage.root.path().to_str().unwrap();
    let checked = fails(stage.run("/usr/sbin/usherd", &["--check", "--root", root]));
    assert!(
        checked.contains("/etc/usher/usher.conf:2") && checked.contains("KillUserProcesses"),
        "{checked}"
    );
    let again = succeeds(stage.xtask("install"));
    assert!(again.contains("usher.conf: it was changed"), "{again}");
    assert!(fs::read_to_string(&conf).unwrap().contains("perhaps"));
    assert!(
        fs::read_to_string(stage.at("/etc/usher/usher.conf.new")).unwrap().contains("#KillUserProcesses=")
    );

    // Not from under a stack that loads it.
    fs::write(stage.at("/etc/pam.d/system-login"), "session optional pam_usher.so\n").unwrap();
    let before = stage.files();
    let refused = fails(stage.xtask("uninstall"));
    assert!(refused.contains("/etc/pam.d/system-login") && refused.contains("usher-pam-setup"), "{refused}");
    assert_eq!(stage.files(), before);

    fs::write(stage.at("/etc/pam.d/system-login"), "session required pam_unix.so\n").unwrap();
    succeeds(stage.xtask("uninstall"));
    assert_eq!(stage.files(), ["etc/pam.d/system-login", "etc/usher/usher.conf"]);
    assert!(!stage.at("/usr/lib/usher").exists(), "empty directories go, too");
    let nothing = fails(stage.xtask("uninstall"));
    assert!(nothing.contains("nothing was installed"), "{nothing}");
}

#[test]
fn what_is_in_the_way_is_named_and_nothing_is_installed() {
    let stage = Stage::new("/usr", "none");
    fs::create_dir_all(stage.at("/usr/sbin")).unwrap();
    fs::write(stage.at("/usr/sbin/usherd"), "somebody else's").unwrap();
    let refused = fails(stage.xtask("install"));
    assert!(refused.contains("nothing is installed") && refused.contains("/usr/sbin/usherd"), "{refused}");
    assert_eq!(stage.files(), ["usr/sbin/usherd"]);

    let stage = Stage::new("usr", "none");
    assert!(fails(stage.xtask("install")).contains("--prefix usr: expected an absolute path"));
    let stage = Stage::new("/usr", "upstart");
    let unknown = fails(stage.xtask("install"));
    assert!(unknown.contains("upstart") && unknown.contains("openrc"), "{unknown}");
}
