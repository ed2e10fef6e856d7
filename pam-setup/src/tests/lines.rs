//! Lines, words and controls.

use crate::{Action, Control, Group, Statement, parse};

fn one(text: &str) -> Statement {
    let mut lines = parse(text.as_bytes());
    assert_eq!(lines.len(), 1, "{lines:?}");
    lines.remove(0).statement
}

fn module(text: &str) -> (Group, bool, Control, String, Vec<String>) {
    match one(text) {
        Statement::Module { group, quiet, control, module, arguments } => {
            (group, quiet, control, module, arguments)
        }
        other => panic!("{text}: {other:?}"),
    }
}

fn broken(text: &str) -> String {
    match one(text) {
        Statement::Broken { reason, .. } => reason,
        other => panic!("{text}: {other:?}"),
    }
}

#[test]
fn a_line_has_a_group_a_control_a_module_and_arguments() {
    let (group, quiet, control, name, arguments) =
        module("-SESSION\tOptional /lib/security/pam_x.so  a  b=c # why");
    assert_eq!((group, quiet, control), (Group::Session, true, Control::Optional));
    assert_eq!(
        (name.as_str(), arguments),
        ("/lib/security/pam_x.so", vec!["a".to_owned(), "b=c".to_owned()])
    );
}

#[test]
fn brackets_hold_actions_and_arguments_together() {
    let (.., control, _, arguments) =
        module("session [success=1 new_authtok_reqd = done default=ignore] pam_x.so [a b \\] c] d");
    let expected =
        [("success", Action::Jump(1)), ("new_authtok_reqd", Action::Done), ("default", Action::Ignore)];
    let expected = expected.map(|(name, action)| (name.to_owned(), action)).to_vec();
    assert_eq!(control, Control::Actions(expected));
    assert_eq!(arguments, ["[a b ] c]", "d"]);
    assert_eq!(control.to_string(), "[success=1 new_authtok_reqd=done default=ignore]");
    assert_eq!(control.longest_jump(), 1);
}

#[test]
fn a_backslash_continues_a_line_and_a_comment_in_between_does_not_count() {
    let lines = parse(
        b"# one \\\n\nsession \\\n  # in between\n optional \\\n pam_x.so a\nsession required pam_y.so",
    );
    let spans: Vec<_> = lines.iter().map(|line| (line.first, line.last)).collect();
    assert_eq!(spans, [(3, 6), (7, 7)]);
    assert!(matches!(&lines[0].statement, Statement::Module { module, .. } if module == "pam_x.so"));
    // A comment ends the line, with or without a backslash.
    let lines = parse(b"session required pam_x.so # \\\nsession required pam_y.so\n");
    assert_eq!(lines.len(), 2);
    for text in ["session required \\", "@include"] {
        assert!(matches!(one(text), Statement::Fatal { .. }), "{text}");
    }
}

#[test]
fn what_libpam_does_not_understand_is_named() {
    assert!(broken("sesion required pam_x.so").contains("'sesion'"));
    assert!(broken("session optinal pam_x.so").contains("'optinal'"));
    assert!(broken("session [success=0] pam_x.so").contains("'0'"));
    assert!(broken("session [succes=ok] pam_x.so").contains("'succes'"));
    assert!(broken("session [success=ok pam_x.so").contains("bracket"));
    assert!(broken("session [success] pam_x.so").contains("no action"));
    assert!(broken("session required").contains("no module"));
    assert!(broken("session").contains("nothing"));
    assert!(broken("session required pam_x.so\r").contains("carriage return"));
    assert!(broken("\r").contains("'\\r'"));
}

#[test]
fn include_comes_in_three_ways() {
    assert_eq!(one("@include common-auth"), Statement::IncludeAll { file: "common-auth".to_owned() });
    assert_eq!(module("session include system-auth").2, Control::Include);
    assert_eq!(module("auth substack password-auth").2, Control::Substack);
}

#[test]
fn a_control_says_what_failure_and_success_do() {
    let control = |text: &str| module(&format!("session {text} pam_x.so")).2;
    assert!(control("required").failure_counts() && control("requisite").failure_counts());
    assert!(!control("optional").failure_counts() && !control("sufficient").failure_counts());
    assert!(control("[success=ok]").failure_counts(), "what is not named is bad");
    assert!(!control("[success=ok default=ignore]").failure_counts());
    assert!(control("sufficient").success_ends() && control("[default=done]").success_ends());
    assert!(!control("[success=ok default=done]").success_ends());
}
