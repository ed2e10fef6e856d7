//! Peers that behave badly on the broker's socket: gone in the middle, never reading, too many, too fast, with bags full
//! of descriptors. It costs them their connection, and others nothing.

mod faults_common;

use std::time::{Duration, Instant};

use faults_common::*;
use usher_tests::{Background, Machine, Usherd};

const POKE: &str = include_str!("faults_common/poke.py");

fn script(script: &str) -> String {
    format!("{POKE}\n{script}")
}

/// Runs a script against usherd to its end.
fn poke(machine: &Machine, user: &str, text: &str) -> String {
    machine.as_user(user, &["python3", "-c", &script(text)]).stdout
}

/// Runs a script that says `ready` and stays.
fn stay<'m>(machine: &'m Machine, user: &str, text: &str) -> Background<'m> {
    let text = script(&format!("{text}\nprint('ready', flush=True)\ntime.sleep(1000)\n"));
    let running = machine.spawn_as(user, &["python3", "-c", &text]);
    machine.wait_for("the script", || running.log().contains("ready"));
    running
}

/// Others are served, quickly: a user's question, root's, and a login.
fn others_are_served(machine: &Machine) {
    let start = Instant::now();
    machine.as_user("bob", &["usherctl", "list-sessions"]);
    machine.run(&["usherctl", "list-sessions"]);
    let login = Login::of(machine, "alice");
    assert!(start.elapsed() < Duration::from_secs(4), "others have waited {:?}", start.elapsed());
    login.log_out();
}

fn descriptors(machine: &Machine, broker: &Usherd<'_>) -> usize {
    size_of(machine, broker.pid()).0
}

#[test]
fn gone_at_any_byte_of_a_login() {
    let machine = machine(QUICK);
    let mut broker = machine.start_usherd();
    let fds = descriptors(&machine, &broker);
    let text = r#"
whole = message('OpenSession', login(tty='pts/0', remote_host='example.org', remote=True), more=True)
for length in range(len(whole) + 1):
    link = connect()
    link.sendall(whole[:length])
    link.close()
    # The same, but still there to hear an answer that will not come: the end of what it has to say is its end.
    if length < len(whole):
        link = connect()
        link.sendall(whole[:length])
        link.shutdown(socket.SHUT_WR)
        assert next(replies(link), None) is None
        link.close()
alive()
"#;
    poke(&machine, "root", text);
    wait_nothing_left(&machine);
    machine.wait_for("the descriptors to be closed", || descriptors(&machine, &broker) <= fds);
    assert!(broker.is_running());
    others_are_served(&machine);
}

#[test]
fn a_request_may_come_byte_by_byte_and_many_at_once() {
    let machine = machine(QUICK);
    let _broker = machine.start_usherd();
    let text = r#"
link = connect()
for byte in message('GetManager'):
    link.sendall(bytes([byte]))
assert 'manager' in next(replies(link))['parameters']
link.close()

link = connect()
wanted = []
batch = b''
for n in range(300):
    kind = n % 4
    if kind == 0:
        batch += message('ListUsers'); wanted.append('users')
    elif kind == 1:
        batch += message('Nope%d' % n); wanted.append(BROKER + 'Nope%d' % n)
    elif kind == 2:
        batch += message('ListSessions', oneway=True)
    else:
        batch += message('ListSessions', {}, more=True); wanted.append('sessions')
link.sendall(batch)
link.shutdown(socket.SHUT_WR)
got = [(answer.get('parameters', {}).get('method') or list(answer['parameters'])[0]) for answer in replies(link)]
assert got == wanted, (got, wanted)
"#;
    poke(&machine, "alice", text);
    poke(&machine, "root", text);
}

#[test]
fn never_reading_costs_the_connection_and_nobody_else_anything() {
    let machine = machine(QUICK);
    let broker = machine.start_usherd();
    let fds = descriptors(&machine, &broker);
    let text = r#"
links = []
for n in range(30):
    link = connect()
    link.settimeout(0.2)
    try:
        for m in range(10000):
            link.sendall(message('org.varlink.service.GetInterfaceDescription', {'interface': 'io.usher.Broker'}) * 10)
    except socket.timeout:
        pass
    links.append(link)
"#;
    let _sticky = stay(&machine, "alice", text);
    assert!(descriptors(&machine, &broker) >= fds + 25);
    let (_, resident) = size_of(&machine, broker.pid());
    assert!(resident < 100 * 1024, "usherd takes {resident} KiB");
    others_are_served(&machine);
    // They still do not read, and are sent away for that.
    machine.wait_for("the connections to be closed", || descriptors(&machine, &broker) <= fds);
    others_are_served(&machine);
}

#[test]
fn five_hundred_connections_of_one_user() {
    let machine = machine(QUICK);
    let broker = machine.start_usherd();
    let fds = descriptors(&machine, &broker);
    let text = r#"
links = [connect() for n in range(500)]
refusals = 0
for link in links[256:]:
    answer = next(replies(link))
    assert answer['error'] == BROKER + 'LimitsExceeded' and '256' in answer['parameters']['message'], answer
    refusals += 1
for link in links[:256:50]:
    link.sendall(message('ListSessions'))
    assert 'sessions' in next(replies(link))['parameters']
assert refusals == 244
"#;
    let mut hoarder = stay(&machine, "bob", text);
    let refused = machine.try_as_user("bob", &["usherctl", "list-sessions"]);
    assert!(refused.code == 1 && refused.stderr.contains("UserConnectionsMax="), "{refused}");
    // bob himself can still log in: his login is root's business.
    let login = Login::of(&machine, "bob");
    machine.as_user("alice", &["usherctl", "list-sessions"]);
    login.log_out();
    hoarder.kill9();
    machine.wait_for("the descriptors to be closed", || descriptors(&machine, &broker) <= fds);
    machine.as_user("bob", &["usherctl", "list-sessions"]);
}

#[test]
fn two_hundred_descriptors_with_every_message() {
    let machine = machine(QUICK);
    let broker = machine.start_usherd();
    let fds = descriptors(&machine, &broker);
    let text = r#"
spare = [os.open('/dev/null', os.O_RDONLY) for n in range(200)]
rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array('i', spare))]
links = [connect() for n in range(10)]
for link in links:
    for n in range(50):
        link.sendmsg([message('ListSessions')], rights)
        assert 'sessions' in next(replies(link))['parameters']
    # In the middle of a message, with every byte of it.
    for byte in message('ListSessions')[:20]:
        link.sendmsg([bytes([byte])], rights)
"#;
    for user in ["alice", "root"] {
        let mut sender = stay(&machine, user, text);
        // The connection, its peer's pidfd, and one that came last: no more.
        assert!(descriptors(&machine, &broker) <= fds + 3 * 10);
        others_are_served(&machine);
        sender.kill9();
        machine.wait_for("the descriptors to be closed", || descriptors(&machine, &broker) <= fds);
    }
}

/// Whatever is passed beside an OpenSession, the session is the peer's.
#[test]
fn somebody_elses_pidfd_beside_a_login() {
    let machine = machine(QUICK);
    let _broker = machine.start_usherd();
    let text = r#"
for fd in [os.pidfd_open(1), os.pidfd_open(os.getppid()) if os.getppid() else os.pidfd_open(1), os.open('/dev/null', os.O_RDONLY)]:
    link = connect()
    rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array('i', [fd]))]
    link.sendmsg([message('OpenSession', login())], rights)
    answer = next(replies(link))
    link.close()
    session = answer['parameters'].get('session')
    if session:
        shown = call('GetSession', {'session': session})['parameters']['session']
        assert shown['leader'] == os.getpid(), shown
        assert call('CloseSession', {'session': session}) == {'parameters': {}}
    else:
        assert answer['error'] == BROKER + 'Failed', answer
    while call('ListSessions')['parameters']['sessions']: pass
"#;
    poke(&machine, "root", text);
    wait_nothing_left(&machine);
}
