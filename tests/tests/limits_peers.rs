//! Peers who take all they can get: places that they do not use, requests without number, questions to a name service that
//! hangs, everything at once. Others log in all the while, root first of all, and usherd does not grow.

mod faults_common;

use std::time::{Duration, Instant};

use faults_common::*;
use usher_tests::{Background, Machine};

const POKE: &str = include_str!("faults_common/poke.py");

/// The longest that a login may take while somebody does his worst: the module gives up after 5 s, for root after half a second.
const BUDGET: Duration = Duration::from_secs(8);
/// How often root and another user log in meanwhile, with a session. On a computer that a dozen other tests keep busy, one or
/// the other of root's may have run out of its half second.
const LOGINS: usize = 4;

fn script(text: &str) -> String {
    format!("{POKE}\n{text}\nprint('ready', flush=True)\ntime.sleep(1000)\n")
}

fn stay<'m>(machine: &'m Machine, user: &str, text: &str) -> Background<'m> {
    let running = machine.spawn_as(user, &["python3", "-c", &script(text)]);
    machine.wait_for("the script", || running.log().contains("ready"));
    running
}

/// A login, whether it has got a session, and how long it took.
fn log_in(machine: &Machine, user: &str) -> (bool, Duration) {
    let start = Instant::now();
    let output = machine.run(&["su", "-", user, "-c", "echo ${XDG_SESSION_ID-none}"]);
    let took = start.elapsed();
    assert!(took < BUDGET, "{user} has waited {took:?}");
    (output.text().parse::<u64>().is_ok(), took)
}

/// Users log in, each so often, with a session. What usherd took of memory at most, in KiB.
fn they_log_in(machine: &Machine, broker: i32, users: &[&str]) -> u64 {
    let (mut most, mut all) = (0, Vec::new());
    for user in users {
        let mut with_session = 0;
        machine.wait_for(&format!("logins of {user}"), || {
            let (session, took) = log_in(machine, user);
            with_session += usize::from(session);
            all.push((*user, session, took));
            most = most.max(size_of(machine, broker).1);
            with_session >= LOGINS
        });
    }
    println!("logins, with a session or not, and how long they took: {all:?}; usherd had {most} KiB at most");
    most
}

#[test]
fn places_that_nobody_uses() {
    let machine = Machine::builder()
        .user("carol", 1003)
        .config(&format!("{QUICK}ConnectionsMax=6\nUserConnectionsMax=3\n"))
        .boot();
    let broker = machine.start_usherd();
    let (fds, _) = size_of(&machine, broker.pid());
    // Nothing, half a message, a whole one whose answer is not read.
    let text = r#"
links = [connect() for n in range(3)]
links[1].sendall(message('ListSessions')[:10])
links[2].sendall(message('ListSessions'))
assert links[2].recv(1)
"#;
    let mut hoarders = [stay(&machine, "alice", text), stay(&machine, "bob", text)];
    let refusal = |user: &str| {
        let refused = machine.try_as_user(user, &["usherctl", "list-sessions"]);
        assert_eq!(refused.code, 1, "{refused}");
        refused.stderr
    };
    for user in ["alice", "bob"] {
        let why = refusal(user);
        assert!(why.contains("3 connections") && why.contains("UserConnectionsMax= in usher.conf"), "{why}");
    }
    let why = refusal("carol");
    assert!(why.contains("6 connections") && why.contains(" ConnectionsMax= in usher.conf"), "{why}");
    // root's reserve, which is every login's.
    machine.run(&["usherctl", "list-sessions"]);
    they_log_in(&machine, broker.pid(), &["root", "alice", "carol"]);
    let root = stay(&machine, "root", "links = [connect() for n in range(100)]\nalive()\n");
    drop(root);
    hoarders.iter_mut().for_each(Background::kill9);
    machine.wait_for("the descriptors to be closed", || size_of(&machine, broker.pid()).0 <= fds);
    machine.as_user("carol", &["usherctl", "list-sessions"]);
}

/// Each question to the name service is a process of usherd's.
#[test]
fn questions_to_a_name_service_that_hangs() {
    let machine = Machine::builder().config(QUICK).shared_mounts().boot();
    machine.run(&["mkfifo", "/tmp/hung"]);
    // For usherd and what it starts alone: to open the user database is to wait for ever.
    let hung = "mount --make-private /etc && mount --bind /tmp/hung /etc/passwd && exec \"$@\"";
    let by = ["unshare", "--mount", "--propagation", "unchanged", "sh", "-c", hung, "sh"];
    let mut broker = start_usherd_by(&machine, &by);
    let text = r#"
links = [connect() for n in range(100)]
for link in links:
    link.sendall(message('SetLinger', {'linger': True}) * 5)
"#;
    let mut asker = stay(&machine, "alice", text);
    let lookups = |uid: u32| {
        let pattern = format!("--internal-lookup uid:{uid}");
        let count = machine.try_run(&["pgrep", "-fc", "--", &pattern]);
        count.text().parse::<usize>().unwrap_or(0)
    };
    machine.wait_for("a question", || lookups(1001) > 0);
    they_log_in(&machine, broker.pid(), &["root", "bob", "alice"]);
    // Another one's question does not wait for all of hers, of which one is asked at a time.
    let _bob =
        stay(&machine, "bob", "link = connect()\nlink.sendall(message('SetLinger', {'linger': True}))\n");
    machine.wait_within(Duration::from_secs(5), "bob's question", || lookups(1002) > 0);
    // While one hangs, another process asks the same every second, for ten.
    assert!(lookups(1001) <= 12, "{}", lookups(1001));
    machine.as_user("bob", &["usherctl", "list-sessions"]);
    asker.kill9();
    machine.wait_for("nobody to ask any more", || lookups(1001) == 0);
    assert!(broker.is_running());
}

/// As many requests as fit on as many connections as there may be, and no answer is read.
#[test]
fn requests_without_number() {
    let machine = machine(QUICK);
    let mut broker = machine.start_usherd();
    let (fds, before) = size_of(&machine, broker.pid());
    // Sessions to make the answers long.
    let many = "for n in range(150):\n    if os.fork() == 0:\n        call('OpenSession', login(remote_host='x' * 900, remote=True))\n        time.sleep(1000)\n";
    let mut crowd = stay(
        &machine,
        "root",
        &format!("{many}while len(call('ListSessions')['parameters']['sessions']) < 150: time.sleep(0.01)\n"),
    );
    let (_, with_sessions) = size_of(&machine, broker.pid());
    let text = r#"
links = []
for n in range(250):
    link = connect()
    link.setblocking(False)
    links.append(link)
batch = message('ListSessions') * 400
full = set()
while len(full) < len(links):
    for link in links:
        try: link.send(batch)
        except BlockingIOError: full.add(link)
        except OSError: full.add(link)
"#;
    let mut asker = stay(&machine, "alice", text);
    let most = they_log_in(&machine, broker.pid(), &["root", "bob"]);
    println!("it had {before} KiB before, {with_sessions} with the sessions");
    assert!(most < with_sessions + 48 * 1024, "usherd grew from {with_sessions} to {most} KiB");
    asker.kill9();
    crowd.kill9();
    machine.run(&["pkill", "-KILL", "python3"]);
    machine.wait_for("the descriptors to be closed", || size_of(&machine, broker.pid()).0 <= fds);
    wait_nothing_left(&machine);
    assert!(broker.is_running());
}

/// All that an unprivileged process can do to the socket, by several at once, for a few seconds.
#[test]
fn everything_at_once() {
    let machine = machine(QUICK);
    let mut broker = machine.start_usherd();
    let (fds, before) = size_of(&machine, broker.pid());
    let common = "print('ready', flush=True)\nimport itertools, random\nwhile True:\n  try:\n";
    let habits = [
        // Comes and goes.
        "    connect().close()\n",
        // Asks, with and without sense, in pieces and in heaps, and does not listen.
        r#"    link = connect()
    link.settimeout(0.2)
    for n in range(random.randrange(40)):
        link.sendall(random.choice([message('ListUsers') * 50, b'x' * 5000, b'\0' * 100, message('OpenSession', login()), b'{"method":',
            message('CloseSession', {'session': '1', 'token': '0' * 64}), message('SetLinger', {'linger': n % 2 == 0}),
            message('GetSession', {'session': 'auto'}), message('TerminateUser', {'uid': 0}), message('ListSessions', more=True)]))
    link.close()
"#,
        // Takes all places there are, fills each, and lets them go.
        r#"    links = [connect() for n in range(100)]
    for link in links:
        link.setblocking(False)
        try: link.sendall(message('ListSessions') * 200)
        except OSError: pass
"#,
    ];
    let mut vandals: Vec<_> = habits
        .iter()
        .map(|habit| {
            let text = format!("{POKE}\n{common}{habit}  except OSError: pass\n");
            machine.spawn_as("alice", &["python3", "-c", &text])
        })
        .collect();
    for vandal in &vandals {
        machine.wait_for("the vandals", || vandal.log().contains("ready"));
    }
    let most = they_log_in(&machine, broker.pid(), &["root", "bob"]);
    assert!(vandals.iter_mut().all(Background::is_running), "{}", vandals[0].log());
    assert!(most < before + 64 * 1024, "usherd grew from {before} to {most} KiB");
    vandals.iter_mut().for_each(Background::kill9);
    machine.wait_for("the descriptors to be closed", || size_of(&machine, broker.pid()).0 <= fds);
    machine.run(&["usherctl", "disable-linger", "alice"]);
    wait_nothing_left(&machine);
    assert!(broker.is_running());
    machine.as_user("alice", &["usherctl", "list-sessions"]);
}

/// In the queue of the public socket everybody stands in line. Root, by whose right all logins come, has another one.
#[test]
fn root_has_a_way_in_of_its_own() {
    let machine = machine(QUICK);
    let mut broker = machine.start_usherd();
    let modes = machine.run(&["stat", "-c", "%a %U", "/run/usher/broker.root", "/run/usher/broker"]);
    assert_eq!(modes.text(), "600 root\n666 root");
    let knock = "import socket; socket.socket(socket.AF_UNIX).connect('/run/usher/broker.root')";
    machine.run(&["python3", "-c", knock]);
    let refused = machine.try_as_user("alice", &["python3", "-c", knock]);
    assert!(!refused.ok() && refused.stderr.contains("PermissionError"), "{refused}");
    machine.as_user("alice", &["usherctl", "list-sessions"]);

    // Nobody serves the public one: root does not notice.
    machine.run(&["mv", "/run/usher/broker", "/run/usher/moved"]);
    assert!(log_in(&machine, "alice").0 && log_in(&machine, "root").0);
    machine.run(&["mv", "/run/usher/moved", "/run/usher/broker"]);
    // There is no other one, as with an older usherd.
    machine.run(&["rm", "/run/usher/broker.root"]);
    assert!(log_in(&machine, "alice").0 && log_in(&machine, "root").0);
    // Both are there, and nobody listens: that is known at once.
    broker.restart();
    broker.kill9();
    let start = Instant::now();
    assert!(!log_in(&machine, "alice").0);
    assert!(start.elapsed() < Duration::from_secs(4), "{:?}", start.elapsed());
    assert!(module_lines(&machine).pop().is_some_and(|line| line.contains("usherd is not running")));
    broker.start();
    assert!(log_in(&machine, "alice").0);
}
