//! What is wrong with a stack that libpam can read.

use super::fixtures::{Root, arch, debian};
use crate::{Severity, check};

fn problems(x: &str) -> Vec<(Severity, String)> {
    let root = Root::with(&[("x", x)]);
    let found = check::service(&root.config(), "x").unwrap();
    found.iter().map(|problem| (problem.severity, problem.to_string())).collect()
}

fn one(x: &str, severity: Severity, part: &str) {
    let found = problems(x);
    assert!(matches!(&found[..], [(s, text)] if *s == severity && text.contains(part)), "{part}: {found:?}");
}

#[test]
fn a_sound_stack_has_no_problems() {
    assert_eq!(
        problems("session required pam_unix.so\n-session optional pam_usher.so class=user debug\n"),
        []
    );
    let root = arch("-session optional pam_usher.so\n");
    assert_eq!(check::service(&root.config(), "sshd").unwrap(), []);
    let root = debian("pam_usher.so");
    assert_eq!(check::service(&root.config(), "sshd").unwrap(), []);
    let root = debian("pam_systemd.so");
    assert_eq!(check::service(&root.config(), "sshd").unwrap(), [], "no usher is no problem of the stack");
}

#[test]
fn where_and_how_the_module_stands() {
    let unix = "session required pam_unix.so\n";
    one(
        &format!("{unix}session optional pam_usher.so\nsession optional pam_usher.so\n"),
        Severity::Error,
        "x:3: pam_usher.so stands in the stack twice, first at /etc/pam.d/x:2",
    );
    one(
        &format!("session optional pam_usher.so\n{unix}"),
        Severity::Error,
        "x:1: pam_usher.so stands before pam_unix.so",
    );
    one(
        &format!("auth optional pam_usher.so\n{unix}"),
        Severity::Error,
        "x:1: pam_usher.so stands in the auth stack",
    );
    one(&format!("{unix}session required pam_usher.so\n"), Severity::Warning, "'required'");
    one(&format!("{unix}session sufficient pam_usher.so\n"), Severity::Error, "do not run");
    one(&format!("{unix}session optional pam_usher.so klass=user\n"), Severity::Warning, "'klass=user'");
    one(
        &format!("session sufficient pam_localuser.so\n{unix}session optional pam_usher.so\n"),
        Severity::Warning,
        "x:1: pam_localuser.so is 'sufficient'",
    );
    one(
        &format!("{unix}session optional pam_gnome_keyring.so\nsession optional pam_usher.so\n"),
        Severity::Warning,
        "needs XDG_RUNTIME_DIR",
    );
    one(
        &format!("{unix}session optional pam_usher.so\n-session optional pam_elogind.so\n"),
        Severity::Error,
        "x:3: pam_elogind.so registers logins with elogind beside usher",
    );
}

#[test]
fn modules_that_are_not_there() {
    one("session required pam_gone.so\n", Severity::Error, "logins fail");
    one("session optional pam_gone.so\n", Severity::Warning, "put a dash");
    assert_eq!(problems("-session optional pam_gone.so\nsession required pam_unix.so\n"), []);
    one("session required /opt/pam_gone.so\n", Severity::Error, "/opt/pam_gone.so");
}

#[test]
fn what_ends_a_substack_ends_nothing_else() {
    let root = Root::with(&[
        ("x", "session substack y\nsession required pam_unix.so\nsession optional pam_usher.so\n"),
        ("y", "session sufficient pam_localuser.so\n"),
    ]);
    assert_eq!(check::service(&root.config(), "x").unwrap(), []);
}
