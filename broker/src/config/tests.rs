use super::*;
use proptest::prelude::*;

/// A file system that is a map. `None` is a file that cannot be read.
#[derive(Default)]
pub(super) struct Fake(BTreeMap<PathBuf, Option<String>>);

impl Fake {
    pub(super) fn with(mut self, path: &str, text: &str) -> Self {
        self.0.insert(path.into(), Some(text.into()));
        self
    }
}

impl Files for Fake {
    fn exists(&self, path: &Path) -> bool {
        self.0.contains_key(path)
    }

    fn read(&self, path: &Path) -> io::Result<String> {
        let text = self.0.get(path).ok_or(io::ErrorKind::NotFound)?;
        Ok(text.clone().ok_or(io::ErrorKind::PermissionDenied)?)
    }

    fn list(&self, directory: &Path) -> io::Result<Vec<OsString>> {
        let inside = self.0.keys().filter(|path| path.parent() == Some(directory));
        let names: Vec<_> = inside.filter_map(|path| path.file_name()).map(OsString::from).collect();
        if names.is_empty() { Err(io::ErrorKind::NotFound.into()) } else { Ok(names) }
    }
}

#[test]
fn without_files_everything_is_default() {
    let loaded = load(&Fake::default());
    assert_eq!(loaded.settings, Settings::default());
    assert!(loaded.warnings.is_empty() && loaded.sources.is_empty());
}

#[test]
fn logind_files_count_only_where_usher_has_none() {
    let logind = || Fake::default().with("/etc/systemd/logind.conf", "[Login]\nKillUserProcesses=yes\n");
    assert!(load(&logind()).settings.kill_user_processes);
    let both = logind().with("/etc/usher/usher.conf.d/10-x.conf", "[Login]\nRemoveIPC=no\n");
    let loaded = load(&both);
    assert!(!loaded.settings.kill_user_processes && !loaded.settings.remove_ipc);
    assert_eq!(loaded.sources, [Path::new("/etc/usher/usher.conf.d/10-x.conf")]);
}

#[test]
fn one_main_file_then_drop_ins_by_name() {
    let files = Fake::default()
        .with("/etc/systemd/logind.conf", "[Login]\nSessionsMax=1\n")
        .with("/usr/lib/systemd/logind.conf", "[Login]\nSessionsMax=2\nUserStopDelaySec=99\n")
        .with("/usr/lib/systemd/logind.conf.d/10-a.conf", "[Login]\nSessionsMax=3\nKillOnlyUsers=a\n")
        .with("/run/systemd/logind.conf.d/20-b.conf", "[Login]\nSessionsMax=4\n")
        .with("/etc/systemd/logind.conf.d/20-b.conf", "")
        .with("/usr/lib/systemd/logind.conf.d/30-c.conf", "[Login]\nKillOnlyUsers=c\n")
        .with("/usr/lib/systemd/logind.conf.d/40-d.txt", "[Login]\nSessionsMax=5\n");
    let loaded = load(&files);
    assert_eq!(loaded.settings.sessions_max, 3, "20-b is masked by the empty one in /etc");
    assert_eq!(loaded.settings.kill_only_users, ["a", "c"]);
    assert_eq!(loaded.settings.user_stop_delay, Settings::default().user_stop_delay, "only one main file");
    assert_eq!(loaded.warnings, []);
}

#[test]
fn mistakes_name_file_line_and_key() {
    let text = "SessionsMax=1\n[Login]\nSessionsMax=many\nColour=red\nwhat\n[Sleep]\nX=1\n[Other]\nX=1\n";
    let loaded = load(&Fake::default().with("/etc/usher/usher.conf", text));
    let told: Vec<_> = loaded.warnings.iter().map(|w| (w.line, w.key.as_str())).collect();
    assert_eq!(told, [(1, "SessionsMax"), (3, "SessionsMax"), (4, "Colour"), (5, ""), (8, "")]);
    let bad = loaded.warnings.get(1).unwrap().to_string();
    assert_eq!(
        bad,
        "/etc/usher/usher.conf:3: SessionsMax: 'many' is refused: expected a number; nothing changed"
    );
    assert_eq!(loaded.settings, Settings::default());
}

#[test]
fn an_unreadable_file_is_a_warning() {
    let mut files = Fake::default();
    files.0.insert("/etc/usher/usher.conf".into(), None);
    let loaded = load(&files);
    assert_eq!(loaded.warnings.len(), 1);
    assert!(loaded.warnings.iter().all(|w| w.to_string().contains("cannot be read")));
}

#[test]
fn keys_without_effect_are_no_mistakes() {
    let loaded = load(&Fake::default().with("/etc/systemd/logind.conf", "[Login]\nHandleLidSwitch=lock\n"));
    assert!(loaded.warnings.is_empty());
    assert_eq!(loaded.without_effect.len(), 1);
}

/// The shipped file says what the defaults are: every option stands there, commented out, at its default value.
#[test]
fn the_shipped_file_is_right_about_every_option() {
    let shipped = include_str!("../../../packaging/usher.conf");
    assert_eq!(load(&Fake::default().with("/etc/usher/usher.conf", shipped)).warnings, []);

    let option = |line: &str| {
        let commented_out = line.starts_with('#') && !line.starts_with("# ");
        commented_out && (line.contains('=') || line.starts_with("#["))
    };
    let uncommented: String = shipped
        .lines()
        .map(|line| if option(line) { line.trim_start_matches('#') } else { line })
        .map(|line| format!("{line}\n"))
        .collect();
    let loaded = load(&Fake::default().with("/etc/usher/usher.conf", &uncommented));
    assert_eq!(loaded.warnings, []);
    assert_eq!(loaded.without_effect, [], "an option that does nothing should not be shipped");
    let memory = 8 << 30;
    assert_eq!(
        loaded.settings.runtime_directory_limits(memory, 4096),
        Settings::default().runtime_directory_limits(memory, 4096)
    );
    // "never configured" cannot be written down, and means the same as this.
    assert_eq!(loaded.settings.kill_exclude_users.as_deref(), Some(&["root".to_owned()][..]));
    let expected = Settings {
        kill_exclude_users: loaded.settings.kill_exclude_users.clone(),
        runtime_directory_inodes: loaded.settings.runtime_directory_inodes,
        ..Settings::default()
    };
    assert_eq!(loaded.settings, expected);
}

proptest! {
    #[test]
    fn no_file_is_too_strange(text in "(\\[Login\\]\n)?([A-Za-z]{0,12}=?.{0,20}\n){0,10}") {
        load(&Fake::default().with("/etc/usher/usher.conf", &text));
    }
}

#[test]
fn a_manager_has_more_time_to_stop_than_its_units() {
    let warnings = |usher: &str, user: Option<&str>| {
        let mut files = Fake::default().with("/etc/usher/usher.conf", &format!("[Login]\n{usher}\n"));
        if let Some(text) = user {
            files = files.with("/etc/systemd/user.conf", text);
        }
        load(&files).warnings
    };
    assert_eq!(warnings("", None), []);
    let found = warnings("ManagerStopTimeoutSec=90s", None);
    let [warning] = &found[..] else { panic!("{found:?}") };
    let line = warning.to_string();
    assert!(line.starts_with("/etc/usher/usher.conf: ManagerStopTimeoutSec: 90 s are not more"), "{line}");
    assert_eq!(warnings("ManagerStopTimeoutSec=91s", None), []);
    assert_eq!(warnings("ManagerStopTimeoutSec=1s\nManager=/usr/bin/dinit", None), [], "not known of others");
    let short = "[Other]\nDefaultTimeoutStopSec=1h\n[Manager]\nDefaultTimeoutStopSec=1500ms\n";
    assert_eq!(warnings("ManagerStopTimeoutSec=2s", Some(short)), []);
    assert_eq!(warnings("ManagerStopTimeoutSec=1s", Some(short)).len(), 1);
    for long in ["5min", "infinity", "0"] {
        let user = format!("[Manager]\nDefaultTimeoutStopSec={long}\n");
        assert_eq!(warnings("", Some(&user)).len(), 1, "{long}");
    }
    let unknown = "[Manager]\nDefaultTimeoutStopSec=soon\n";
    assert_eq!(warnings("", Some(unknown)), [], "systemd keeps its default, too");
}

#[test]
fn a_section_is_for_services_by_name() {
    let text =
        "[Service sshd login]\nCgroup=adopt\nnested = new\n[Service gdm*]\nSeat=no\n[Service cron]\nClass=\n";
    let loaded = load(&Fake::default().with("/etc/usher/usher.conf", text));
    assert_eq!(loaded.warnings, []);
    assert!(!loaded.services_in_doubt);
    let of = |service| loaded.settings.services.of(service);
    for service in ["sshd", "login"] {
        let (cgroup, nested) = (Some(usher_model::CgroupUse::Adopt), Some(usher_model::Nested::New));
        assert_eq!((of(service).cgroup, of(service).nested), (cgroup, nested), "{service}");
    }
    assert_eq!((of("gdm-password").seat, of("su").seat), (Some(false), None));
    // What is built in can be taken back, for one of several services.
    assert!(of("cron").class.is_none() && of("atd").class.is_some());
}

#[test]
fn mistakes_about_services_name_file_line_and_key() {
    let text = "[Service]\nClass=user\n[Service a/b]\n[Service systemd-user]\n[Service x]\nClass=manager\nManager=maybe\n\
                Cgroup=\nNested=yes\nSeat=seat0\nKillUserProcesses=yes\n[Services x]\n";
    let loaded = load(&Fake::default().with("/etc/usher/usher.conf", text));
    let told: Vec<_> = loaded.warnings.iter().map(|w| (w.line, w.key.as_str())).collect();
    let keys =
        [(6, "Class"), (7, "Manager"), (9, "Nested"), (10, "Seat"), (11, "KillUserProcesses"), (12, "")];
    assert_eq!(told, [&[(1, ""), (3, ""), (4, "")][..], &keys].concat());
    assert!(loaded.services_in_doubt);
    assert_eq!(loaded.settings, Settings::default());
}

/// logind knows no such section.
#[test]
fn logind_files_say_nothing_of_services() {
    let text = "[Service sshd]\nClass=none\n";
    let loaded = load(&Fake::default().with("/etc/systemd/logind.conf", text));
    assert_eq!(loaded.settings, Settings::default());
    assert_eq!(loaded.warnings.len(), 1);
}
