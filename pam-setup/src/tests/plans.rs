//! New files of old ones, and back.

use super::fixtures::{Root, alpine, arch, gentoo, void};
use crate::plan::{Refusal, install, remove};
use crate::{Broker, Group, PamConfig};

/// What is new, as lines with a plus or minus.
fn changed(config: &PamConfig, name: &str, replace: bool) -> Vec<String> {
    let old = config.read(name).unwrap().bytes;
    let new = install(config, name, replace).unwrap();
    assert_eq!(String::from_utf8_lossy(&remove(&new)), String::from_utf8_lossy(&old), "byte for byte");
    let again = install(&config.clone().with(name, new.clone()), name, replace).unwrap();
    assert_eq!(again, new, "twice is once");
    let diff = crate::unified_diff(name, &old, &new);
    diff.lines().skip(3).filter(|line| !line.starts_with(' ')).map(str::to_owned).collect()
}

fn order(config: &PamConfig, name: &str, replace: bool) -> Vec<String> {
    let new = install(config, name, replace).unwrap();
    let stack = config.clone().with(name, new).own_stack(name, Group::Session).unwrap();
    stack.modules.into_iter().map(|module| module.module).collect()
}

const ADDED: &str = "+-session   optional   pam_usher.so   # usher-pam-setup";

#[test]
fn one_line_behind_the_accounts_modules() {
    assert_eq!(changed(&arch("").config(), "system-login", false), [ADDED]);
    let order = order(&arch("").config(), "system-login", false);
    assert_eq!(order[4..7], ["pam_permit.so", "pam_usher.so", "pam_motd.so"]);
    assert_eq!(changed(&alpine().config(), "base-session", false), [ADDED]);
}

#[test]
fn a_last_line_without_newline_comes_back_without_one() {
    let root = Root::with(&[("x", "session required pam_unix.so")]);
    let new = install(&root.config(), "x", false).unwrap();
    assert_eq!(new.iter().filter(|&&byte| byte == b'\n').count(), 1);
    assert_eq!(remove(&new), b"session required pam_unix.so");
    changed(&root.config(), "x", false);
}

#[test]
fn other_brokers_are_explained_and_refused() {
    let root = arch("-session   optional   pam_systemd.so\n");
    let refusal = install(&root.config(), "system-login", false).unwrap_err();
    assert!(matches!(&refusal, Refusal::OtherBroker(lines) if lines.len() == 1), "{refusal}");
    let text = refusal.to_string();
    assert!(text.contains("/etc/pam.d/system-login:17: pam_systemd.so (systemd-logind)"), "{text}");
    assert!(text.contains("--replace"), "{text}");
}

#[test]
fn a_replaced_broker_makes_room_where_it_stood() {
    let root = arch("-session   optional   pam_systemd.so type=wayland foo\n");
    assert_eq!(
        changed(&root.config(), "system-login", true),
        [
            "--session   optional   pam_systemd.so type=wayland foo",
            "+#usher-pam-setup: -session   optional   pam_systemd.so type=wayland foo",
            "+-session   optional   pam_usher.so type=wayland   # usher-pam-setup",
        ]
    );
    assert_eq!(order(&root.config(), "system-login", true)[7..], ["pam_usher.so", "pam_env.so"]);
    for root in [void(), gentoo()] {
        let order = order(&root.config(), "system-login", true);
        assert!(!order.iter().any(|name| Broker::of(name).is_some_and(|b| b != Broker::Usher)), "{order:?}");
        changed(&root.config(), "system-login", true);
    }
}

#[test]
fn a_continued_line_is_taken_out_whole_and_put_back() {
    let root = arch("-session optional \\\n # why\n pam_elogind.so \\\n debug\n");
    assert_eq!(changed(&root.config(), "system-login", true).len(), 9);
}

#[test]
fn edits_of_others_stay() {
    let root = arch("-session optional pam_systemd.so\n");
    let config = root.config();
    let new = String::from_utf8(install(&config, "system-login", true).unwrap()).unwrap();
    let edited = new.replace("session    optional   pam_motd.so\n", "session optional pam_usher.so debug\n")
        + "# more\n";
    let expected = String::from_utf8(config.read("system-login").unwrap().bytes).unwrap();
    let expected = expected
        .replace("session    optional   pam_motd.so\n", "session optional pam_usher.so debug\n")
        + "# more\n";
    assert_eq!(String::from_utf8(remove(edited.as_bytes())).unwrap(), expected);
    // A comment of the administrator's that ends like ours is a comment.
    let comment = b"# see pam_usher.so # usher-pam-setup\n";
    assert_eq!(remove(comment), comment);
}

#[test]
fn jumps_jump_to_where_they_jumped() {
    let jump = |body: &str| Root::with(&[("x", body)]);
    // The line after pam_unix.so is jumped over from before it: one further.
    let root = jump(
        "session [success=2 default=ignore] pam_succeed_if.so quiet\nsession required pam_unix.so\n\
                     session optional pam_motd.so\nsession required pam_env.so\n",
    );
    assert_eq!(
        order(&root.config(), "x", false),
        ["pam_succeed_if.so", "pam_unix.so", "pam_motd.so", "pam_usher.so", "pam_env.so"]
    );
    // Nowhere.
    let root = jump(
        "session [success=3 default=ignore] pam_succeed_if.so quiet\nsession required pam_unix.so\n\
                     session optional pam_motd.so\nsession required pam_env.so\nsession optional pam_umask.so\n",
    );
    assert_eq!(order(&root.config(), "x", false)[4], "pam_usher.so");
    // A broker that is jumped over is replaced in its place.
    let root = jump(
        "session required pam_unix.so\nsession [success=1 default=ignore] pam_succeed_if.so quiet\n\
                     -session optional pam_systemd.so\nsession required pam_env.so\n",
    );
    assert_eq!(
        order(&root.config(), "x", true),
        ["pam_unix.so", "pam_succeed_if.so", "pam_usher.so", "pam_env.so"]
    );
    changed(&root.config(), "x", true);
    // Two of them are not.
    let root = jump(
        "session required pam_unix.so\nsession [success=2 default=ignore] pam_succeed_if.so quiet\n\
                     -session optional pam_systemd.so\n-session optional pam_rundir.so\nsession required pam_env.so\n",
    );
    assert!(matches!(install(&root.config(), "x", true), Err(Refusal::NoPlace(_))));
    // A substack is one module.
    let root = Root::with(&[
        (
            "x",
            "session [success=1 default=ignore] pam_succeed_if.so quiet\nsession substack y\nsession optional pam_motd.so\n",
        ),
        ("y", "session required pam_limits.so\nsession required pam_unix.so\n"),
    ]);
    assert_eq!(order(&root.config(), "x", false)[3..], ["pam_usher.so", "pam_motd.so"]);
}

#[test]
fn what_is_broken_stays_as_it_is_and_is_named() {
    let broken = [
        ("session required pam_unix.so\nsession optinal pam_motd.so\n", "x:2: 'optinal'"),
        ("session required pam_unix.so\nsession include gone\n", "x:2: includes 'gone'"),
        ("session include x\n", "x:1: includes 'x'"),
        (
            "session required pam_unix.so\nauth optional pam_usher.so\n",
            "x:2: pam_usher.so stands in the auth",
        ),
        ("session optional pam_usher.so\nsession required pam_unix.so\n", "x:1: pam_usher.so stands before"),
        (
            "session required pam_unix.so\nsession optional pam_usher.so\nsession optional pam_usher.so\n",
            "x:3: ",
        ),
        ("session required pam_gone.so\n", "x:1: names pam_gone.so"),
    ];
    for (text, part) in broken {
        let root = Root::with(&[("x", text)]);
        let refusal = install(&root.config(), "x", false).unwrap_err();
        assert!(
            matches!(refusal, Refusal::Broken(_)) && refusal.to_string().contains(part),
            "{part}: {refusal}"
        );
    }
}

#[test]
fn files_where_a_line_would_do_harm_are_refused() {
    let root = Root::with(&[
        ("greeter", "auth required pam_permit.so\nsession required pam_unix.so\n"),
        (
            "lightdm-greeter",
            "auth required pam_permit.so\nsession required pam_unix.so\n-session optional pam_systemd.so\n",
        ),
        ("bare", "auth required pam_unix.so\n"),
        ("outer", "session include inner\n"),
        ("inner", "session required pam_unix.so\nsession optional pam_elogind.so\n"),
        ("other", "session required pam_deny.so\n"),
    ]);
    let config = root.config();
    assert!(matches!(install(&config, "greeter", true), Err(Refusal::Greeter(_))));
    assert!(install(&config, "lightdm-greeter", true).is_ok());
    assert!(matches!(install(&config, "bare", true), Err(Refusal::NoSession(_))));
    let refusal = install(&config, "outer", true).unwrap_err().to_string();
    assert!(refusal.contains("/etc/pam.d/inner:2: pam_elogind.so"), "{refusal}");
}

#[test]
fn a_module_that_comes_with_an_included_file_is_enough() {
    let root = Root::with(&[
        ("x", "session include y\n"),
        ("y", "session required pam_unix.so\nsession optional pam_usher.so\n"),
    ]);
    assert_eq!(changed(&root.config(), "x", false), [] as [&str; 0]);
}

#[test]
fn a_diff_is_what_patch_reads() {
    let diff = crate::unified_diff("/x", b"1\n2\n3\n4\n5\n6\n7\n8", b"1\n2\n3\n4\nnew\n5\n6\n7\n8");
    assert_eq!(diff, "--- /x\n+++ /x\n@@ -2,6 +2,7 @@\n 2\n 3\n 4\n+new\n 5\n 6\n 7\n");
    let diff = crate::unified_diff("/x", b"1", b"1\n2");
    assert_eq!(
        diff,
        "--- /x\n+++ /x\n@@ -1 +1,2 @@\n-1\n\\ No newline at end of file\n+1\n+2\n\\ No newline at end of file\n"
    );
    assert_eq!(crate::unified_diff("/x", b"1", b"1"), "");
}
