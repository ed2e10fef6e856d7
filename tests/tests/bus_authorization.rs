//! usherd and the real polkitd: what is asked takes as long as it takes, and nobody gets more by that.

use nix::sys::signal::Signal;
use usher_tests::{ALICE, Background, Machine, Usherd};

const LINGER: &str = "/var/lib/systemd/linger/bob";

/// What an administrator may want; without polkit everybody may.
const NOBODY_LINGERS: &str = "
polkit.addRule(function(action, subject) {
    if (action.id == 'org.freedesktop.login1.set-self-linger') return polkit.Result.NO;
});
polkit.addAdminRule(function(action, subject) { return ['unix-user:root']; });
";

/// Sends SetUserLinger for the user himself, and stays until somebody ends it.
const SEND_AND_STAY: &str = "
import dbus, time
from dbus.lowlevel import MethodCallMessage
bus = dbus.SystemBus()
name = 'org.freedesktop.login1'
call = MethodCallMessage(name, '/org/freedesktop/login1', name + '.Manager', 'SetUserLinger')
call.append(1002, True, False, signature='ubb')
bus.send_message(call)
bus.flush()
time.sleep(1000)
";

/// A terminal's program that asks for the password which a call needs, and the call. The agent is there for this process,
/// which becomes the one that calls.
const ASK_ON_TERMINAL: &str = r#"
fifo=$(mktemp -u); mkfifo $fifo
pkttyagent --process $$ --notify-fd 9 9> $fifo &
cat $fifo; rm $fifo
exec busctl --system --timeout=60 --allow-interactive-authorization=yes call org.freedesktop.login1 \
    /org/freedesktop/login1 org.freedesktop.login1.Manager TerminateSession s "$0"
"#;

fn machine() -> Machine {
    Machine::builder()
        .config("[Login]\nUserStopDelaySec=0\nManager=none\n")
        .file("/etc/polkit-1/rules.d/10-test.rules", NOBODY_LINGERS, 0o644, 0)
        .file("/etc/ask.sh", ASK_ON_TERMINAL, 0o644, 0)
        .boot()
}

fn start(machine: &Machine) -> Usherd<'_> {
    let usherd = machine.start_usherd();
    let on_bus = ["busctl", "status", "org.freedesktop.login1"];
    machine.wait_for("usherd on the bus", || machine.try_run(&on_bus).ok());
    usherd
}

/// What goes by on the bus to polkit.
fn listen(machine: &Machine) -> Background<'_> {
    let rule = "type='method_call',interface='org.freedesktop.PolicyKit1.Authority'";
    let monitor = machine.spawn(&["dbus-monitor", "--system", rule]);
    machine.wait_for("dbus-monitor to listen", || monitor.log().contains("member=NameLost"));
    monitor
}

fn call<'a>(method: &'a str, arguments: &[&'a str]) -> Vec<&'a str> {
    let manager =
        ["org.freedesktop.login1", "/org/freedesktop/login1", "org.freedesktop.login1.Manager", method];
    ["busctl", "--system", "call"].iter().chain(&manager).chain(arguments).copied().collect()
}

#[test]
fn who_leaves_while_polkit_thinks_gets_nothing() {
    let machine = machine();
    let _bus = machine.start_dbus();
    let mut polkitd = machine.start_polkitd();
    let usherd = start(&machine);
    let monitor = listen(&machine);
    let asked = || monitor.log().matches("member=CheckAuthorization").count();
    let denied = machine.try_as_user("bob", &call("SetUserLinger", &["ubb", "1002", "true", "false"]));
    assert!(denied.stderr.contains("Access denied"), "{denied}");
    let unanswered = || usherd.log().matches("for want of an answer from polkit").count();
    for round in 1..=3 {
        polkitd.signal(Signal::SIGSTOP);
        let client = machine.spawn_as("bob", &["python3", "-c", SEND_AND_STAY]);
        machine.wait_for("usherd's question", || asked() > round);
        drop(client);
        // polkit looks for somebody who is not there any more.
        polkitd.signal(Signal::SIGCONT);
        machine.wait_for("usherd's decision", || unanswered() == round);
        assert!(!machine.exists(LINGER), "{}", machine.dump());
    }
    let denied = machine.try_as_user("bob", &call("SetUserLinger", &["ubb", "1002", "true", "false"]));
    assert!(denied.stderr.contains("Access denied"), "{denied}");
    assert!(!machine.exists(LINGER));
}

#[test]
fn polkit_that_hangs_holds_up_only_who_needs_it() {
    let machine = machine();
    let _bus = machine.start_dbus();
    let mut polkitd = machine.start_polkitd();
    let _usherd = start(&machine);
    let monitor = listen(&machine);
    let mut alice = machine.pam_login("alice");
    let session = alice.session();
    polkitd.signal(Signal::SIGSTOP);
    let mut waiting = machine.spawn_as("bob", &call("TerminateSession", &["s", &session]));
    machine.wait_for("usherd's question", || monitor.log().contains("member=CheckAuthorization"));
    // Others, the same user with what is not polkit's to say, and logins.
    assert!(machine.run(&call("ListSessions", &[])).stdout.contains("\"alice\""));
    machine.as_user("bob", &call("ListSessions", &[]));
    machine.as_user("alice", &call("LockSession", &["s", &session]));
    assert_eq!(machine.ssh("bob", "echo in").text(), "in");
    assert!(waiting.is_running(), "{}", waiting.log());
    polkitd.signal(Signal::SIGCONT);
    assert_ne!(waiting.wait(usher_tests::DEADLINE), 0);
    assert!(waiting.log().contains("nteractive authentication required"), "{}", waiting.log());
    assert_eq!(machine.sessions(&ALICE), [session]);
    alice.log_out();
}

/// Where the init does not start polkit, the bus does, when somebody asks for it. Where it cannot, there is none.
#[test]
fn polkit_comes_when_it_is_called() {
    const PATH: &str = "/usr/share/dbus-1/system-services/org.freedesktop.PolicyKit1.service";
    let service = |program: &str| {
        format!("[D-BUS Service]\nName=org.freedesktop.PolicyKit1\nUser=root\nExec={program}\n")
    };
    for (program, works) in [("/usr/lib/polkit-1/polkitd --no-debug", true), ("/bin/false", false)] {
        let machine = Machine::builder()
            .config("[Login]\nManager=none\n")
            .file("/etc/polkit-1/rules.d/10-test.rules", NOBODY_LINGERS, 0o644, 0)
            .file(PATH, &service(program), 0o644, 0)
            .boot();
        let _bus = machine.start_dbus();
        let _usherd = start(&machine);
        let own = machine.try_as_user("bob", &call("SetUserLinger", &["ubb", "1002", "true", "false"]));
        assert_eq!((own.ok(), machine.exists(LINGER)), (!works, !works), "{program}: {own}");
        let others = machine.try_as_user("bob", &call("SetUserLinger", &["ubb", "1001", "true", "false"]));
        let said = if works { "nteractive authentication required" } else { "Access denied" };
        assert!(others.stderr.contains(said), "{program}: {others}");
    }
}

/// With the agent that polkit has for terminals, and an administrator who is called to it.
#[test]
fn a_password_opens_what_is_somebody_elses() {
    let machine = machine();
    let _bus = machine.start_dbus();
    let _polkitd = machine.start_polkitd();
    let _usherd = start(&machine);
    let mut alice = machine.pam_login("alice");
    let session = alice.session();
    let mut bob = machine.ssh_session("bob");
    let terminal = bob.ask("tty");
    // What is typed before the agent has turned off the echo, it throws away.
    let listens = || machine.run(&["stty", "-a", "-F", &terminal]).stdout.contains(" -echo ");
    for (password, right) in [("wrong", false), ("usher", true)] {
        let before = bob.seen().len();
        let ask = format!("sh -c \"$(cat /etc/ask.sh)\" {session}");
        bob.say(&format!("stty echo; {ask}; code=$?; stty -echo; echo \"<it ended with $code>\""));
        machine.wait_for("the question", || bob.seen()[before..].contains("Password:") && listens());
        let question = bob.seen()[before..].to_owned();
        assert!(question.contains("org.freedesktop.login1.manage"), "{question}");
        assert!(
            question.contains("Ending sessions and processes of other users needs a password."),
            "{question}"
        );
        assert_eq!(machine.sessions(&ALICE), [&*session]);
        bob.say(password);
        machine.wait_for("the end", || bob.seen()[before..].contains("<it ended with "));
        let said = bob.seen()[before..].to_owned();
        assert_eq!(said.contains("<it ended with 0>"), right, "{said}");
        if right {
            machine.wait_for("alice's session to be over", || machine.sessions(&ALICE).is_empty());
        } else {
            assert_eq!(machine.sessions(&ALICE), [&*session]);
        }
    }
    bob.close();
}
