//! The files in packaging/.

use super::fixtures::Root;
use crate::{Group, Severity, check};

#[test]
fn the_examples_are_in_order() {
    let system_login = include_str!("../../../packaging/pam.d/system-login.example");
    let common_session = include_str!("../../../packaging/pam.d/common-session.example");
    let systemd_user = include_str!("../../../packaging/pam.d/systemd-user");
    let auth = "auth required pam_unix.so\naccount required pam_unix.so\nsession required pam_unix.so\npassword required pam_unix.so\n";
    let root = Root::with(&[
        ("system-login", system_login),
        ("common-session", common_session),
        ("systemd-user", systemd_user),
        ("system-auth", auth),
        ("common-account", "account required pam_unix.so\n"),
    ]);
    root.write("/usr/lib/security/pam_access.so", b"");
    for service in ["system-login", "common-session", "systemd-user"] {
        let problems = check::service(&root.config(), service).unwrap();
        assert!(
            problems.iter().all(|problem| problem.severity != Severity::Error),
            "{service}: {problems:?}"
        );
        assert!(root.config().stack(service, Group::Session).unwrap().has_usher(), "{service}");
    }
}

/// pam-auth-update sorts by priority, highest first: pam_unix.so has 256; pam_sss.so and pam_mount.so 128 and
/// pam_fscrypt.so 100, which make homes accessible; everything that needs a runtime directory 0.
#[test]
fn the_profile_stands_between_homes_and_what_needs_a_runtime_directory() {
    let profile = include_str!("../../../packaging/pam-configs/usher");
    let field = |name: &str| profile.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    let priority: u32 = field("Priority").unwrap().parse().unwrap();
    assert!((1..100).contains(&priority), "{priority}");
    // It splits at a comma and one blank.
    assert_eq!(field("Conflicts").unwrap().split(", ").collect::<Vec<_>>(), ["systemd", "elogind"]);
    assert_eq!(field("Session-Type"), Some("Additional"));
    let (_, lines) = profile.split_once("\nSession:\n").unwrap();
    assert_eq!(lines, "\toptional\tpam_usher.so\n");
}
