//! What drop-ins come to.

use super::super::specifiers::ANYBODY;
use super::super::tests::Fake;
use super::*;
use proptest::prelude::*;

fn service(text: &str) -> UnitSettings {
    load(&Fake::default().with("/etc/systemd/system/user@.service.d/a.conf", text), &ANYBODY)
}

fn pairs(settings: &UnitSettings) -> Vec<(&str, &str)> {
    settings.environment.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect()
}

#[test]
fn everything_that_is_heeded() {
    let settings = service(
        "[Unit]\nDescription=x\n[Service]\nEnvironment=A=1 'B=b c' C=%h\nEnvironment=D=%%\n\
         EnvironmentFile=-/etc/%u.env\nEnvironmentFile=/etc/b\nUnsetEnvironment=X Y=1\nNice=-5\nOOMScoreAdjust=200\n\
         UMask=0027\nTimeoutStartSec=5\nTimeoutStopSec=1min\nLimitNOFILE=10:20\nLimitCORE=infinity\nLimitAS=1G\n\
         LimitCPU=1min\nLimitRTTIME=5\nLimitNICE=+5\nTasksMax=100\nDelegate=memory pids\n",
    );
    assert_eq!((&settings.warnings[..], &settings.unheeded[..]), (&[][..], &[][..]));
    assert_eq!(pairs(&settings), [("A", "1"), ("B", "b c"), ("C", "/home/user"), ("D", "%")]);
    let files: Vec<_> = settings.environment_files.iter().map(|f| (f.path.as_str(), f.optional)).collect();
    assert_eq!(files, [("/etc/user.env", true), ("/etc/b", false)]);
    assert_eq!(settings.unset_environment, ["X", "Y=1"]);
    assert_eq!((settings.nice, settings.oom_score_adjust, settings.umask), (Some(-5), Some(200), Some(0o27)));
    assert_eq!(settings.start_timeout, Some(Duration::from_secs(5)));
    assert_eq!(settings.stop_timeout, Some(Duration::from_secs(60)));
    let both = |n| Limit { soft: Some(n), hard: Some(n) };
    let limits = [
        ("AS", both(1 << 30)),
        ("CORE", Limit { soft: None, hard: None }),
        ("CPU", both(60)),
        ("NICE", both(15)),
        ("NOFILE", Limit { soft: Some(10), hard: Some(20) }),
        ("RTTIME", both(5)),
    ];
    assert_eq!(settings.limits.into_iter().collect::<Vec<_>>(), limits);
    assert_eq!(settings.service.tasks_max.map(|max| max.on(1)), Some("100".to_owned()));
}

#[test]
fn an_empty_value_starts_anew() {
    let settings = service(
        "[Service]\nEnvironment=A=1\nEnvironment=\nEnvironment=B=2\nNice=5\nNice=\nLimitNOFILE=5\nLimitNOFILE=\n\
         TimeoutSec=5\nTimeoutStopSec=\n",
    );
    assert_eq!(pairs(&settings), [("B", "2")]);
    assert!(settings.nice.is_none() && settings.limits.is_empty() && settings.stop_timeout.is_none());
    assert_eq!(settings.start_timeout, Some(Duration::from_secs(5)));
}

#[test]
fn precedence_is_systemds() {
    let set = |value: &str| format!("[Service]\nEnvironment=X={value}\nEnvironment=FROM_{value}=1\n");
    let files = Fake::default()
        .with("/usr/lib/systemd/system/user@.service.d/10.conf", &set("usr"))
        .with("/run/systemd/system/user@1000.service.d/10.conf", &set("run"))
        .with("/etc/systemd/system/user@.service.d/10.conf", &set("etc"))
        .with("/etc/systemd/system/user@1000.service.d/20.conf", &set("own"))
        .with("/etc/systemd/system/user@.service.d/20.conf", &set("all"))
        .with("/usr/lib/systemd/system/user@.service.d/05.conf", &set("early"))
        .with("/usr/lib/systemd/system/user@.service.d/30.conf", &set("masked"))
        .with("/etc/systemd/system/user@.service.d/30.conf", "")
        .with("/etc/systemd/system/user@1001.service.d/90.conf", &set("other"))
        .with("/etc/systemd/system/user@.service.d/95.txt", &set("no"));
    let settings = load(&files, &ANYBODY);
    let values: Vec<_> =
        pairs(&settings).into_iter().filter(|(n, _)| *n == "X").map(|(_, v)| v.to_owned()).collect();
    assert_eq!(values, ["early", "etc", "own"]);
    assert_eq!(settings.warnings, []);
}

#[test]
fn slices() {
    let files = Fake::default()
        .with(
            "/usr/lib/systemd/system/user-.slice.d/10-defaults.conf",
            "[Unit]\nDocumentation=x\n[Slice]\nTasksMax=33%\n",
        )
        .with(
            "/etc/systemd/system/user-1000.slice.d/a.conf",
            "[Slice]\nMemoryHigh=1G\nCPUWeight=50\nCPUQuota=5%\n",
        );
    let settings = load(&files, &ANYBODY);
    assert_eq!(settings.slice.tasks_max.map(|max| max.on(300)), Some("99".to_owned()));
    assert_eq!(settings.slice.cpu_weight, Some(50));
    assert!(settings.service.is_empty());
    let line = settings.unheeded_line().unwrap();
    assert_eq!(line, "/etc/systemd/system/user-1000.slice.d/a.conf: usher does not heed CPUQuota=");
}

#[test]
fn what_is_not_heeded_is_named_once_and_mistakes_have_a_line() {
    let settings = service(
        "Nice=1\n[Unit]\nAfter=a\n[Service]\nProtectHome=yes\nProtectHome=no\nNice=21\nLimitNOFILE=9:8\nUMask=99\n\
         LimitNOFILE=infinity:8\nTimeoutStopSec=infinity\nTimeoutStartSec=0\nEnvironment=1=2\nEnvironmentFile=x\n\
         Environment=A=%N\nwhat\n[Slice]\nTasksMax=1\n",
    );
    assert_eq!(
        settings.unheeded_line().unwrap(),
        "/etc/systemd/system/user@.service.d/a.conf: usher does not heed After=, ProtectHome=, TasksMax="
    );
    let lines: Vec<_> = settings.warnings.iter().map(|warning| warning.line).collect();
    assert_eq!(lines, [1, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16]);
    let kept = UnitSettings { warnings: vec![], unheeded: vec![], ..settings };
    assert_eq!(kept, UnitSettings::default(), "a bad value changes nothing");
}

proptest! {
    #[test]
    fn no_text_is_too_strange(
        key in "(Environment|UnsetEnvironment|Nice|UMask|Limit(CPU|NICE|AS|RTTIME)|TasksMax|TimeoutSec|[A-Z]{1,3})",
        value in ".{0,20}",
    ) {
        let settings = service(&format!("[Service]\n{key}={value}\n"));
        prop_assert!(settings.nice.is_none_or(|nice| (-20..20).contains(&nice)));
    }
}
