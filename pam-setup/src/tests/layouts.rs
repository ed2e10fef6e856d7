//! Distributions, told by their files.

use super::fixtures::{Root, alpine, arch, debian, fedora, gentoo, void};
use crate::{Broker, Group, Layout};

fn layout(root: &Root) -> Layout {
    Layout::recognise(&root.config()).unwrap()
}

#[test]
fn each_layout_is_recognised() {
    assert_eq!(layout(&debian("pam_systemd.so")), Layout::PamAuthUpdate);
    assert_eq!(layout(&arch("")), Layout::SystemLogin);
    assert_eq!(layout(&void()), Layout::SystemLogin);
    assert_eq!(layout(&gentoo()), Layout::SystemLogin);
    assert_eq!(layout(&alpine()), Layout::BaseSession);
    assert_eq!(layout(&fedora()), Layout::Authselect);
    assert_eq!(
        layout(&Root::with(&[("common-session", "session required pam_unix.so\n")])),
        Layout::CommonSession
    );
    assert_eq!(layout(&Root::with(&[("login", "session required pam_unix.so\n")])), Layout::Login);
    assert_eq!(layout(&Root::with(&[("system-login", "auth required pam_unix.so\n")])), Layout::Unknown);
    for layout in [Layout::Unknown, Layout::Authselect, Layout::CommonSession] {
        assert!(layout.explain().contains("session optional pam_usher.so"), "{layout:?}");
    }
}

#[test]
fn a_stack_is_flat_and_knows_where_each_module_comes_from() {
    let root = arch("-session optional pam_systemd.so\n");
    let stack = root.config().stack("sshd", Group::Session).unwrap();
    let places: Vec<_> =
        stack.modules.iter().map(|m| format!("{}:{} {}", m.file, m.line, m.module)).collect();
    assert_eq!(
        places,
        [
            "/etc/pam.d/system-login:12 pam_loginuid.so",
            "/etc/pam.d/system-login:13 pam_keyinit.so",
            "/etc/pam.d/system-auth:6 pam_limits.so",
            "/etc/pam.d/system-auth:7 pam_unix.so",
            "/etc/pam.d/system-auth:8 pam_permit.so",
            "/etc/pam.d/system-login:15 pam_motd.so",
            "/etc/pam.d/system-login:16 pam_umask.so",
            "/etc/pam.d/system-login:17 pam_systemd.so",
            "/etc/pam.d/system-login:18 pam_env.so",
        ]
    );
    let brokers: Vec<_> = stack.brokers().map(|(broker, module)| (broker, module.line)).collect();
    assert_eq!(brokers, [(Broker::Systemd, 17)]);
}

#[test]
fn debians_include_brings_all_groups() {
    let root = debian("pam_elogind.so");
    let brokers = |service| {
        let stack = root.config().stack(service, Group::Session).unwrap();
        stack.brokers().map(|(broker, _)| broker).collect::<Vec<_>>()
    };
    assert_eq!(brokers("sshd"), [Broker::Elogind]);
    assert_eq!(brokers("cron"), []);
    assert_eq!(root.config().services().unwrap(), ["cron", "sshd"]);
}

#[test]
fn a_service_that_its_own_variant_includes_is_a_service() {
    let su = "session required pam_unix.so\n";
    let root = Root::with(&[
        ("su", su),
        ("su-l", "session include su\n"),
        ("x-auth", su),
        ("x", "@include x-auth\n"),
    ]);
    assert_eq!(root.config().services().unwrap(), ["su", "su-l", "x"]);
}

#[test]
fn a_service_without_session_lines_gets_those_of_other() {
    let root =
        Root::with(&[("other", "session required pam_deny.so\n"), ("x", "auth required pam_unix.so\n")]);
    let stack = root.config().stack("x", Group::Session).unwrap();
    assert!(stack.other && stack.modules[0].module == "pam_deny.so", "{stack:?}");
    assert!(root.config().own_stack("x", Group::Session).unwrap().modules.is_empty());
}

#[test]
fn the_vendors_directory_comes_second_and_links_stay_under_the_root() {
    let root = Root::with(&[
        ("/usr/lib/pam.d/su", "session required pam_unix.so\n"),
        ("/usr/lib/pam.d/login", "session required pam_deny.so\n"),
        ("login", "session required pam_unix.so\n"),
    ]);
    let config = root.config();
    assert_eq!(config.read("su").unwrap().path, "/usr/lib/pam.d/su");
    assert_eq!(config.read("login").unwrap().path, "/etc/pam.d/login");
    let fedora = fedora();
    let stack = fedora.config().stack("sshd", Group::Session).unwrap();
    assert!(stack.problems.is_empty() && stack.brokers().count() == 1, "{stack:?}");
}

#[test]
fn brokers_are_known_by_their_file_names() {
    for broker in [Broker::Usher, Broker::Rundir, Broker::DumbRuntimeDir, Broker::Xdg, Broker::ConsoleKit] {
        assert_eq!(Broker::of(&format!("/lib/security/{}", broker.module())), Some(broker));
    }
    assert_eq!(Broker::of("pam_systemd_home.so"), None);
    assert_eq!(Broker::of(""), None);
}
