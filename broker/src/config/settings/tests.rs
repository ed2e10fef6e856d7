//! What settings come to, key by key.

use super::*;
use proptest::prelude::*;

fn after(assignments: &[(&str, &str)]) -> Settings {
    let mut settings = Settings::default();
    for (key, value) in assignments {
        assert_eq!(apply(&mut settings, key, value), Ok(Applied::Effective), "{key}={value}");
    }
    settings
}

#[test]
fn keys_have_no_case_and_lists_grow() {
    let settings = after(&[
        ("killUSERprocesses", "on"),
        ("linger-start", "home-available"),
        ("KillOnlyUsers", "a b"),
        ("KillOnlyUsers", "c"),
        ("DisplayManagers", ""),
        ("DisplayManagers", "mydm"),
    ]);
    assert!(settings.kill_user_processes && settings.linger_start == LingerStart::HomeAvailable);
    assert_eq!(settings.kill_only_users, ["a", "b", "c"]);
    assert_eq!(settings.display_managers, ["mydm"]);
}

#[test]
fn runtime_directories_are_of_a_known_form() {
    for (word, form) in
        [("auto", RuntimeForm::Auto), ("tmpfs", RuntimeForm::Tmpfs), ("directory", RuntimeForm::Directory)]
    {
        assert_eq!(after(&[("RuntimeDirectory", word)]).runtime_directory, form);
    }
    for bad in ["", "dir", "yes", "Tmpfs "] {
        assert!(apply(&mut Settings::default(), "RuntimeDirectory", bad).is_err(), "{bad}");
    }
}

#[test]
fn an_empty_exclude_list_is_not_an_unset_one() {
    assert_eq!(after(&[]).kill_exclude_users, None);
    assert_eq!(after(&[("KillExcludeUsers", "")]).kill_exclude_users, Some(vec![]));
    assert_eq!(after(&[("KillExcludeUsers", "x")]).kill_exclude_users, Some(vec!["x".to_owned()]));
}

#[test]
fn waits_have_an_end() {
    let mut settings = Settings::default();
    assert_eq!(after(&[("ManagerReadyWaitSec", "2min")]).manager_ready_wait, READY_WAIT_LIMIT);
    for (key, bad) in [
        ("ManagerReadyWaitSec", "infinity"),
        ("ManagerReadyWaitSec", "121"),
        ("ManagerStopTimeoutSec", "infinity"),
        ("ManagerStartTimeoutSec", "2h"),
        ("SessionStopTimeoutSec", ""),
    ] {
        assert!(apply(&mut settings, key, bad).is_err(), "{key}={bad}");
    }
    assert_eq!(settings, Settings::default(), "a bad value changes nothing");
    assert_eq!(after(&[("UserStopDelaySec", "infinity")]).user_stop_delay, None);
}

#[test]
fn managers() {
    assert_eq!(after(&[("Manager", "none")]).manager, Manager::None);
    let dinit = Manager::Command(vec!["/usr/bin/dinit".into(), "--user".into()]);
    assert_eq!(after(&[("Manager", "/usr/bin/dinit --user")]).manager, dinit);
    assert_eq!(after(&[("Manager", "dinit")]).manager, Manager::Named("dinit".into()));
    for bad in ["", "dinit --user", "../x", "''"] {
        assert!(apply(&mut Settings::default(), "Manager", bad).is_err(), "{bad}");
    }
    let of = |whose, manager: &str| ManagerOf { whose, manager: manager.into() };
    let settings = after(&[
        ("ManagerOf", "x:y"),
        ("ManagerOf", ""),
        ("ManagerOf", "a:dinit @g:none"),
        ("ManagerOf", "b:s6"),
    ]);
    let expected = [
        of(Whose::User("a".into()), "dinit"),
        of(Whose::Group("g".into()), "none"),
        of(Whose::User("b".into()), "s6"),
    ];
    assert_eq!(settings.manager_of, expected);
    for bad in ["dinit", ":dinit", "@:dinit", "a:", "a:/bin/x", "a:b c", "a:.."] {
        assert!(apply(&mut Settings::default(), "ManagerOf", bad).is_err(), "{bad}");
    }
}

#[test]
fn when_lingering_users_start() {
    assert_eq!(after(&[("LingerStart", "home-available")]).linger_start, LingerStart::HomeAvailable);
    assert_eq!(after(&[("LingerStart", "boot")]), Settings::default());
    for bad in ["", "yes", "Boot", "home"] {
        assert!(apply(&mut Settings::default(), "LingerStart", bad).is_err(), "{bad}");
    }
}

#[test]
fn runtime_directories_are_whole_pages_and_inodes_follow_the_default() {
    let memory = 1_000_000_000;
    assert_eq!(after(&[]).runtime_directory_limits(memory, 4096), (100_003_840, 24_415));
    let small = after(&[("RuntimeDirectorySize", "5000")]);
    assert_eq!(small.runtime_directory_limits(memory, 4096), (8192, 24_415));
    let both = after(&[("RuntimeDirectorySize", "50%"), ("RuntimeDirectoryInodesMax", "1K")]);
    assert_eq!(both.runtime_directory_limits(memory, 4096), (500_002_816, 1024));
    assert_eq!(Settings::default().runtime_directory_limits(0, 0).0, 1);
}

#[test]
fn logind_keys_are_known_and_checked() {
    let mut settings = Settings::default();
    for (key, value) in [("HandleLidSwitch", "suspend"), ("NAutoVTs", "6"), ("InhibitDelayMaxSec", "5s")] {
        assert_eq!(apply(&mut settings, key, value), Ok(Applied::WithoutEffect), "{key}");
    }
    assert!(apply(&mut settings, "HandleLidSwitch", "explode").is_err());
    assert_eq!(apply(&mut settings, "NoSuchKey", "1"), Ok(Applied::UnknownKey));
}

proptest! {
    #[test]
    fn limits_never_panic(memory in any::<u64>(), page in any::<u64>(), share in 1u32..=10_000) {
        let settings = Settings { runtime_directory_size: Amount::Share(share), ..Settings::default() };
        settings.runtime_directory_limits(memory, page);
    }
}
