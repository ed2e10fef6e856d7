//! Logins that come to nothing, before usher's turn in the PAM stack or after it: no session, cgroup, directory or process is
//! left of them, whatever the application does then.

mod faults_common;

use std::time::Duration;

use faults_common::*;
use usher_tests::Machine;

/// Denials by a module after pam_usher.so: for everybody, by a limit on logins, by a program that fails.
const DENIALS: [(&str, &str); 4] = [
    ("required", "session required pam_deny.so"),
    ("requisite", "session requisite pam_deny.so"),
    ("limits", "session required pam_limits.so conf=/etc/denied.limits"),
    ("exec", "session required pam_exec.so quiet /bin/false"),
];

/// Services that deny after usher, which is required in one half of them and optional in the other.
fn machine() -> Machine {
    let mut builder =
        Machine::builder().config(QUICK).file("/etc/denied.limits", "* - maxlogins 0\n", 0o644, 0);
    for usher in ["required", "optional"] {
        for (name, line) in DENIALS {
            let service = format!("{usher}-{name}");
            let first = format!("session {usher} pam_usher.so");
            builder = builder.pam_line(&service, &first).pam_line(&service, line);
        }
    }
    builder
        .pam_line("sshd", "session required pam_deny.so")
        .pam_line("su", "session required pam_deny.so")
        .pam_line("su-l", "session required pam_deny.so")
        .pam_line("login", "session required pam_deny.so")
        .pam_line("no-account", "account required pam_deny.so")
        .pam_line("no-account", "session required pam_usher.so")
        .boot()
}

/// How often usherd has opened a session since it was started.
fn opened(log: &str) -> usize {
    log.matches("new session").count()
}

#[test]
fn the_real_applications() {
    let machine = machine();
    let broker = machine.start_usherd();
    let mut before = 0;
    let mut denied = |what: &str, attempt: &dyn Fn() -> bool| {
        assert!(!attempt(), "{what} let somebody in");
        wait_nothing_left(&machine);
        let now = opened(&broker.log());
        assert!(now > before, "{what} did not get as far as usher");
        before = now;
    };
    denied("su", &|| machine.try_run(&["su", "-", "alice", "-c", "true"]).ok());
    denied("su without -", &|| machine.try_run(&["su", "alice", "-c", "true"]).ok());
    denied("pamtester", &|| {
        machine.try_run(&["pamtester", "required-required", "alice", "open_session"]).ok()
    });
    denied("ssh", &|| machine.try_ssh("alice", "true").ok());
    denied("login", &|| {
        let script = "script -qec 'login -f alice' /dev/null < /dev/null";
        let output = machine.try_run(&["timeout", "20", "sh", "-c", script]);
        output.ok() && !output.stdout.contains("ailure")
    });
    assert!(machine.processes_of(&usher_tests::ALICE).is_empty());
}

#[test]
fn an_application_that_lives_on() {
    let machine = machine();
    let broker = machine.start_usherd();
    for usher in ["required", "optional"] {
        for (name, _) in DENIALS {
            let service = format!("{usher}-{name}");
            // It tells PAM that it gives up, does not close, and goes on to its next customer.
            let words = ["usher-pam-host", &service, "alice", "open", "end", "open", "end", "stay"];
            let mut host = machine.spawn(&words);
            machine.wait_for("both attempts", || host.log().contains("stay"));
            assert_eq!(host.log().matches("open failed").count(), 2, "{service}: {}", host.log());
            wait_nothing_left(&machine);
            assert!(host.is_running());
        }
    }
    assert_eq!(opened(&broker.log()), 2 * 2 * DENIALS.len());
    assert_eq!(module_lines(&machine), Vec::<String>::new());
}

#[test]
fn an_application_that_dies_forks_or_closes_all_the_same() {
    let machine = machine();
    let broker = machine.start_usherd();
    let lives = [
        "open exit",
        "open abort",
        "open close end exit",
        "open fork end done wait exit",
        "open cred uncred end",
    ];
    for steps in lives {
        let words = ["usher-pam-host", "required-required", "alice"].into_iter().chain(steps.split(' '));
        let mut host = machine.spawn(&words.collect::<Vec<_>>());
        host.wait(usher_tests::DEADLINE);
        assert!(host.log().contains("open failed"), "{steps}: {}", host.log());
        wait_nothing_left(&machine);
    }
    assert_eq!(opened(&broker.log()), lives.len());
}

/// A child that ends its copy of the handle, with whatever status, does not speak for its parent.
#[test]
fn a_copy_of_the_handle_gives_up_nothing() {
    let machine = machine();
    let _broker = machine.start_usherd();
    let steps = ["open", "fork", "acct", "end", "done", "wait", "stay"];
    // The account is denied, so that the child's pam_end is told of an error.
    let words = ["usher-pam-host", "no-account", "alice"].into_iter().chain(steps).collect::<Vec<_>>();
    let host = machine.spawn(&words);
    machine.wait_for("the child", || host.log().contains("stay"));
    assert!(host.log().contains("acct failed"), "{}", host.log());
    assert_eq!(sessions(&machine).len(), 1, "{}", host.log());
    drop(host);
    wait_nothing_left(&machine);
}

#[test]
fn denied_before_it_was_ushers_turn() {
    let machine = machine();
    let broker = machine.start_usherd();
    // The password is wrong, the account denied, or expired.
    assert!(!machine.try_as_user("bob", &["sh", "-c", "echo wrong | su - alice -c true"]).ok());
    assert!(!machine.try_run(&["pamtester", "no-account", "alice", "acct_mgmt", "open_session"]).ok());
    machine.run(&["usermod", "--expiredate", "1", "alice"]);
    assert!(!machine.try_ssh("alice", "true").ok());
    wait_nothing_left(&machine);
    assert_eq!(opened(&broker.log()), 0, "{}", broker.log());
}

/// As fast as they come, of processes that die with it, give up, or live on for a moment.
#[test]
fn hundreds_of_them() {
    let machine = machine();
    let mut broker = machine.start_usherd();
    let (fds, _) = size_of(&machine, broker.pid());
    let mut resident = 0;
    for (service, steps) in [
        ("required-required", "open exit"),
        ("optional-requisite", "open end exit"),
        ("required-required", "open abort"),
    ] {
        let words = ["usher-pam-host", "--count", "120", "--at-once", "8", service, "alice"];
        let words = words.into_iter().chain(steps.split(' ')).collect::<Vec<_>>();
        let output = machine.run(&words).stdout;
        assert!(output.contains("120 open failed"), "{output}");
        wait_nothing_left(&machine);
        machine.wait_within(Duration::from_secs(10), "the descriptors to be closed", || {
            size_of(&machine, broker.pid()).0 <= fds
        });
        let (_, now) = size_of(&machine, broker.pid());
        assert!(resident == 0 || now < resident + 2048, "usherd grew from {resident} to {now} KiB");
        resident = now;
    }
    assert!(broker.is_running());
    assert_eq!(opened(&broker.log()), 3 * 120);
    machine.run(&["pamtester", "usher-test", "bob", "open_session", "close_session"]);
    assert_eq!(opened(&broker.log()), 3 * 120 + 1);
}
