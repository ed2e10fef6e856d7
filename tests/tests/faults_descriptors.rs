//! Hardly any descriptors: usherd says so to those whom it cannot serve, goes on for the others, and never ends.

mod faults_common;

use faults_common::*;
use usher_tests::{Background, Machine};

const POKE: &str = include_str!("faults_common/poke.py");

/// Without the capability to raise it, the limit holds for root, too.
fn start(machine: &Machine) -> Background<'_> {
    start_usherd_by(machine, &["setpriv", "--bounding-set=-sys_resource", "prlimit", "--nofile=200:200"])
}

/// Opens sessions, one process each, until usherd refuses one; says how many there are and why there are no more.
const FILL: &str = r#"
count = 0
while True:
    ours, theirs = os.pipe()
    if os.fork() == 0:
        os.close(ours)
        answer = call('OpenSession', login())
        os.write(theirs, (answer.get('error', '') + ' ' + answer['parameters'].get('message', '')).encode() + b'\n')
        if 'error' in answer: os._exit(0)
        time.sleep(1000)
    os.close(theirs)
    said = os.read(ours, 4096).decode().strip()
    os.close(ours)
    if said: break
    count += 1
print('opened', count, said, flush=True)
time.sleep(1000)
"#;

#[test]
fn too_many_sessions() {
    let machine = machine(QUICK);
    let mut broker = start(&machine);
    let (fds, _) = size_of(&machine, broker.pid());
    let mut filler = machine.spawn(&["python3", "-c", &format!("{POKE}\n{FILL}")]);
    machine.wait_for("a refusal", || filler.log().contains("opened"));
    let opened = sessions(&machine).len();
    assert!((50..200).contains(&opened), "{opened}");
    assert!(
        filler.log().contains(&format!("opened {opened} io.usher.Broker.LimitsExceeded")),
        "{}",
        filler.log()
    );
    assert!(filler.log().contains("descriptors") && filler.log().contains("200"), "{}", filler.log());

    // Questions are answered, root gets in, others get in without a session and with a line that says why.
    assert!(broker.is_running());
    machine.run(&["usherctl", "list-sessions"]);
    let root = Login::of(&machine, "root");
    let output = machine.run(&["su", "-", "bob", "-c", "echo ${XDG_SESSION_ID-none}"]);
    assert_eq!(output.text(), "none");
    let lines = module_lines(&machine);
    assert!(lines.len() == 1 && lines[0].contains("descriptors"), "{lines:?}");
    root.log_out();

    // When some have gone, there is room again.
    filler.kill9();
    machine.run(&["pkill", "-KILL", "python3"]);
    wait_nothing_left(&machine);
    let login = Login::of(&machine, "alice");
    login.log_out();
    wait_nothing_left(&machine);
    machine.wait_for("the descriptors to be closed", || size_of(&machine, broker.pid()).0 <= fds);
    assert!(broker.is_running());
}

#[test]
fn too_many_connections() {
    let machine = machine(QUICK);
    let mut broker = start(&machine);
    let (fds, _) = size_of(&machine, broker.pid());
    let text = "links = [connect() for n in range(250)]\nprint('ready', flush=True)\ntime.sleep(1000)\n";
    let mut hoarders: Vec<_> = ["bob", "root"]
        .iter()
        .map(|user| machine.spawn_as(user, &["python3", "-c", &format!("{POKE}\n{text}")]))
        .collect();
    for hoarder in &hoarders {
        machine.wait_for("the connections", || hoarder.log().contains("ready"));
    }
    assert!(broker.is_running());
    let refused = machine.try_as_user("alice", &["usherctl", "list-sessions"]);
    assert!(refused.code == 1 && refused.stderr.contains("descriptors"), "{refused}");
    // Nobody is kept out, or kept waiting.
    let output = machine.run(&["su", "-", "alice", "-c", "echo ${XDG_SESSION_ID-none}"]);
    assert_eq!(output.text(), "none");
    let lines = module_lines(&machine);
    assert!(lines.len() == 1 && lines[0].contains("descriptors"), "{lines:?}");
    hoarders.iter_mut().for_each(Background::kill9);
    machine.wait_for("the descriptors to be closed", || size_of(&machine, broker.pid()).0 <= fds);
    assert!(broker.log().lines().count() < 50, "{}", broker.log());
    machine.as_user("alice", &["usherctl", "list-sessions"]);
    Login::of(&machine, "alice").log_out();
    wait_nothing_left(&machine);
    assert!(broker.is_running());
}

/// To start without having seen everybody would be to end the sessions of those who were not seen.
#[test]
fn a_restart_with_too_few_loses_nobody() {
    let machine = machine(QUICK);
    let mut broker = start(&machine);
    let filler = machine.spawn(&["python3", "-c", &format!("{POKE}\n{FILL}")]);
    machine.wait_for("a refusal", || filler.log().contains("opened"));
    let before = sessions(&machine);
    broker.kill9();

    let refused =
        machine.try_run(&["setpriv", "--bounding-set=-sys_resource", "prlimit", "--nofile=40:40", "usherd"]);
    assert_eq!(refused.code, 1, "{refused}");
    assert!(refused.stderr.contains("raise the limit on open files"), "{refused}");
    assert_eq!(sessions(&machine), before, "everybody is still on file");

    let _again = start(&machine);
    machine.wait_for("everybody to be known", || {
        machine.run(&["usherctl", "list-sessions", "--no-legend"]).stdout.lines().count() == before.len()
    });
}
