//! What the library says of a configuration is what libpam does with it: odd files, and which modules run.

use usher_pam_setup::{Group, PamConfig, check};
use usher_tests::Machine;

/// Writes its argument down.
const MARK: &str = "#!/bin/sh\necho \"$1\" >> /tmp/ran\n";
const ALLOWED: &str = "auth required pam_permit.so\naccount required pam_permit.so\n";

/// `{m}` is a module that writes down the word behind it.
const ODD: [(&str, &str); 11] = [
    (
        "continued",
        "session required \\\n  {m} a\nsession \\\n# in between \\\n\n required {m} \\\n b\nsession required {m} c",
    ),
    (
        "comments",
        "# session required {m} a\nsession required {m} b # c\nsession required {m} d#e\n#\\\nsession required {m} f\n",
    ),
    ("comment-ends-a-line", "session required {m} a # \\\nsession required {m} b\n"),
    ("case", "SESSION Required {m} a\n-Session OPTIONAL {m} b\n"),
    ("blanks", "\t session\trequired \t {m}  a  \n\n   \n  # x\nsession required {m} b\t\n"),
    ("include", "session required {m} a\nsession include inner\nsession required {m} d\n"),
    ("substack", "session substack inner\nsession required {m} d\n"),
    ("debian", "@include inner\nsession required {m} d\n"),
    ("absolute", "session include /etc/absolute\nsession required {m} d\n"),
    (
        "actions",
        "session [success=ok new_authtok_reqd = ok default=ignore] {m} a\nsession [default=ok] {m} b\n",
    ),
    ("twice", "session include inner\nsession include inner\n"),
];
/// libpam lets these fail.
const BROKEN: [(&str, &str); 9] = [
    ("unknown-control", "session optinal {m} a\nsession required {m} b\n"),
    ("unknown-group-included", "session include unknown-group\n"),
    ("continued-to-the-end", "session required {m} a \\"),
    ("include-of-nothing", "@include\nsession required {m} b\n"),
    ("missing-include", "session include gone\nsession required {m} b\n"),
    ("loop", "session include loop\nsession required {m} b\n"),
    ("no-module", "session required\nsession required {m} b\n"),
    ("bad-action", "session [success=perhaps] {m} a\nsession required {m} b\n"),
    ("carriage-return", "session required pam_permit.so\r\nsession required {m} b\n"),
];

/// What runs where lines are jumped over: a substack is one module, and an included file as many as it has.
const JUMPS: [(&str, &str, &str); 3] = [
    (
        "jump-substack",
        "session [success=1 default=ignore] {m} a\nsession substack inner\nsession required {m} d\n",
        "a d ",
    ),
    (
        "jump-include",
        "session [success=1 default=ignore] {m} a\nsession include inner\nsession required {m} d\n",
        "a c d ",
    ),
    (
        "jump-two",
        "session [success=2 default=ignore] {m} a\nsession substack inner\nsession required {m} d\nsession required {m} e\n",
        "a e ",
    ),
];

fn machine() -> Machine {
    let text = |text: &str| ALLOWED.to_owned() + &text.replace("{m}", "pam_exec.so quiet /etc/mark");
    let inner = "session required {m} b\nsession optional {m} c\n";
    let builder = Machine::builder()
        .file("/etc/mark", MARK, 0o755, 0)
        .file("/etc/absolute", &text("session required {m} b\n"), 0o644, 0)
        .file("/etc/pam.d/unknown-group", &text("sesion required {m} a\nsession required {m} b\n"), 0o644, 0)
        .file("/etc/pam.d/inner", &text(inner), 0o644, 0);
    ODD.into_iter()
        .chain(BROKEN)
        .chain(JUMPS.map(|(name, text, _)| (name, text)))
        .fold(builder, |builder, (name, body)| {
            builder.file(format!("/etc/pam.d/{name}"), &text(body), 0o644, 0)
        })
        .boot()
}

#[test]
fn the_same_modules_run_in_the_same_order() {
    let machine = machine();
    let config = PamConfig::at(machine.file("/"));
    for (name, _) in ODD {
        machine.sh("rm -f /tmp/ran");
        machine.run(&["pamtester", name, "alice", "open_session"]);
        let ran = machine.read("/tmp/ran");
        let stack = config.stack(name, Group::Session).expect(name);
        assert_eq!(stack.problems, [], "{name}");
        // pam_exec's arguments: quiet, the program, the word.
        let said: String = stack.modules.iter().map(|module| module.arguments[2].clone() + "\n").collect();
        assert_eq!(said, ran, "{name}");
    }
}

#[test]
fn what_is_called_broken_fails() {
    let machine = machine();
    let config = PamConfig::at(machine.file("/"));
    for (name, _) in BROKEN {
        let output = machine.try_run(&["pamtester", name, "alice", "open_session"]);
        assert!(!output.ok(), "{name}: libpam is content: {output}");
        let stack = config.stack(name, Group::Session).expect(name);
        assert_eq!(stack.problems.len(), 1, "{name}: {:?}", stack.problems);
    }
}

/// A line of no group belongs to auth, where libpam reads a file for all groups.
#[test]
fn a_line_of_no_group_fails_authentication() {
    let machine = machine();
    let config = PamConfig::at(machine.file("/"));
    assert!(machine.try_run(&["pamtester", "unknown-group", "alice", "open_session"]).ok());
    assert_eq!(config.stack("unknown-group", Group::Session).expect("stack").problems, []);
    assert!(!machine.try_run(&["pamtester", "unknown-group", "alice", "authenticate"]).ok());
    assert_eq!(config.stack("unknown-group", Group::Auth).expect("stack").problems.len(), 1);
    assert_eq!(check::service(&config, "unknown-group").expect("check").len(), 1);
}

#[test]
fn jumps_count_as_the_installer_counts_them() {
    let machine = machine();
    for (name, _, expected) in JUMPS {
        machine.sh("rm -f /tmp/ran");
        machine.run(&["pamtester", name, "alice", "open_session"]);
        assert_eq!(machine.read("/tmp/ran").replace('\n', " "), expected, "{name}");
    }
}
