//! Bad input on the broker's socket: every answer is an error that makes sense, nothing changes, nothing is leaked, and
//! usherd is up and serves others all the while.

mod faults_common;

use faults_common::*;
use usher_tests::{Machine, Usherd};

const POKE: &str = include_str!("faults_common/poke.py");

/// Runs a script against usherd, as a user of the machine.
fn poke(machine: &Machine, user: &str, script: &str) -> String {
    machine.as_user(user, &["python3", "-c", &format!("{POKE}\n{script}")]).stdout
}

/// Runs something twice and expects usherd, the same process, to be no larger after the second time than after the
/// first, and nobody to be logged in.
fn stays_as_it_is(act: impl Fn(&Machine, &Usherd<'_>)) {
    let machine = machine(QUICK);
    let mut broker = machine.start_usherd();
    let (fds, _) = size_of(&machine, broker.pid());
    let mut resident = 0;
    for round in 0..2 {
        act(&machine, &broker);
        assert!(broker.is_running());
        machine.wait_for("the descriptors to be closed", || size_of(&machine, broker.pid()).0 <= fds);
        let (_, now) = size_of(&machine, broker.pid());
        assert!(round == 0 || now < resident + 2048, "usherd grew from {resident} to {now} KiB");
        resident = now;
    }
    assert_eq!(left(&machine), Vec::<String>::new());
    assert_eq!(names(&machine, "/var/lib/systemd/linger"), Vec::<String>::new());
    let login = Login::of(&machine, "alice");
    login.log_out();
    wait_nothing_left(&machine);
}

#[test]
fn what_is_no_request_is_refused() {
    stays_as_it_is(|machine, _| {
        let script = r#"
for raw in [b'\0', b' \0', b'{\0', b'{}\0', b'[]\0', b'1\0', b'null\0', b'"x"\0', b'{"method":1}\0', b'{"method":null}\0',
            b'{"method":"a.b"}x\0', b'{"method":"a.b","method":"a.b"}\0', b'{"method":"a.b","more":"yes"}\0', b'\xff\xfe\0',
            b'{"method":"io.usher.Broker.\xc3\x28"}\0', b'{"parameters":{}}\0', b'[{"method":"io.usher.Broker.ListSessions"}]\0',
            b'["io.usher.Broker.ListSessions",{},false,false]\0', b'\0' * 100000, b'x' * (1 << 20), b'{"method":"' + b'a' * (1 << 20),
            b'{"a":' * 10000 + b'1' + b'}' * 10000 + b'\0', b'[' * 60000 + b'\0', b'\x1b[31m' * 5000 + b'\0']:
    refused(raw, INVALID)
    refused(raw, INVALID)
"#;
        poke(machine, "alice", script);
        poke(machine, "root", script);
    });
}

#[test]
fn methods_and_parameters_that_do_not_exist_are_refused() {
    stays_as_it_is(|machine, _| {
        let script = r#"
for name in ['Nope', 'opensession', 'OpenSession2', '', 'x' * 10000, '\x1b[31m', 'ListSessions ']:
    refused(message(BROKER + name), 'org.varlink.service.MethodNotFound')
for name in ['ListSessions', '', 'x.y', 'io.usher.broker.ListSessions', 'io.systemd.Machine.List', 'é' * 5000 + '.x', '\x1b[31m.x']:
    refused(json.dumps({'method': name}).encode() + b'\0', 'org.varlink.service.InterfaceNotFound')
deep = 1
for n in range(300): deep = [deep]
for method, parameters in [
    ('ListSessions', []), ('ListSessions', 1), ('ListSessions', 'x'), ('ListSessions', {'x': 1}), ('ListSessions', {'x': deep}),
    ('GetUser', {'uid': 'alice'}), ('GetUser', {'uid': -1}), ('GetUser', {'uid': 65535}), ('GetUser', {'uid': 2**32 - 1}),
    ('GetUser', {'uid': 2**32}), ('GetUser', {'uid': 2**64}), ('GetUser', {'uid': 2**1000}), ('GetUser', {'uid': 1.5}), ('GetUser', {'uid': True}),
    ('GetUser', {'uid': [1001]}), ('GetUser', {'uid': deep}), ('GetUser', {'user': 'alice'}), ('GetUser', [1001]),
    ('CloseSession', {}), ('CloseSession', None), ('CloseSession', {'session': 1}), ('CloseSession', {'session': ''}),
    ('CloseSession', {'session': '../../x'}), ('CloseSession', {'session': 'a/b'}), ('CloseSession', {'session': 'x' * 5000}),
    ('TerminateSession', {'session': '..'}), ('TerminateSession', {'session': '1\n2'}), ('TerminateSession', {'session': '1\0'}),
    ('TerminateUser', {'uid': -1}), ('TerminateUser', {}), ('KillUser', {'uid': 1001, 'signal': 0}), ('KillUser', {'uid': 1001, 'signal': -9}),
    ('KillUser', {'uid': 1001, 'signal': 65}), ('KillUser', {'uid': 1001, 'signal': 2**40}), ('KillUser', {'uid': 1001}),
    ('KillSession', {'session': '1', 'whom': 'nobody', 'signal': 9}), ('KillSession', {'session': '1', 'whom': 'all', 'signal': 'KILL'}),
    ('SetLinger', {}), ('SetLinger', {'linger': 'yes'}), ('SetLinger', {'linger': 1}), ('SetLinger', {'uid': -1, 'linger': True}),
    ('SetLinger', {'uid': '../alice', 'linger': True}), ('GetSession', {'session': 1}), ('GetSession', {'session': ['self']}),
]:
    refused(message(method, parameters), INVALID)
for name in ['../../etc/passwd', 'x' * 60000, '4294967296', '-1', '1\n', '\x1b[31m']:
    refused(message('GetSession', {'session': name}), BROKER + 'NoSuchSession')
refused(message('GetUser', {'uid': 4294967294}), BROKER + 'NoSuchUser')
refused(message('GetSession'), BROKER + 'NoSessionForCaller')
"#;
        poke(machine, "alice", script);
        poke(machine, "root", script);
    });
}

#[test]
fn what_systemds_module_would_never_say_is_refused() {
    stays_as_it_is(|machine, _| {
        let script = r#"
LOGIN = 'io.systemd.Login.'
for name in ['Nope', 'createsession', '', '.CreateSession', 'x' * 10000, '\x1b[31m', 'ListSessions']:
    refused(message(LOGIN + name), 'org.varlink.service.MethodNotFound')
deep = 1
for n in range(100): deep = [deep]
for method, parameters in [
    ('CreateSession', []), ('CreateSession', 1), ('CreateSession', {}), ('CreateSession', {'x': deep}), ('ReleaseSession', [1]),
    ('ReleaseSession', {'Id': 1}), ('ReleaseSession', {'Id': ['self']}), ('ReleaseSession', {'\x1b[31m': 1}), ('ReleaseSession', {'x' * 9000: 1}),
]:
    refused(message(LOGIN + method, parameters), INVALID)
for id in ['../../x', 'x' * 60000, '\x1b[31m', '1\0', '1']:
    refused(message(LOGIN + 'ReleaseSession', {'Id': id}), LOGIN + 'NoSuchSession')
good = {'UID': 1001, 'Type': 'tty', 'Class': 'user'}
assert ask(message(LOGIN + 'CreateSession', {**good, 'UID': 4001})).get('error') == ('io.systemd.System' if os.getuid() == 0 else 'org.varlink.service.PermissionDenied')
if os.getuid() == 0:
    for bad in [
        {'UID': -1}, {'UID': 65535}, {'UID': 2**32 - 1}, {'UID': 2**64}, {'UID': '1001'}, {'UID': None}, {'UID': True}, {'UID': 1.5}, {'UID': deep},
        {'PID': -1}, {'PID': 0}, {'PID': 1}, {'PID': 2**40}, {'PID': '1'}, {'PID': {}}, {'PID': {'pid': 1}}, {'PID': {'pid': os.getpid(), 'x': 1}},
        {'PID': {'pid': os.getpid(), 'pidfdId': 'x'}}, {'PID': {'pid': os.getpid(), 'bootId': 1}}, {'PID': deep}, {'Type': 'x'}, {'Type': None},
        {'Type': '\x1b[31m'}, {'Class': 'none'}, {'Class': 'USER'}, {'Class': 'user\nUID=0'}, {'Class': 1}, {'Service': 'x' * 1025}, {'Service': 'a\x7f'},
        {'Desktop': 'a"b'}, {'Desktop': "a'b"}, {'Desktop': 'a\\b'}, {'Seat': 1}, {'Seat': 'seat0', 'VTNr': 64},
        {'VTNr': -1}, {'VTNr': '1'}, {'VTNr': 2**40}, {'TTY': 'a\nUID=0'}, {'TTY': 'x' * 1025}, {'TTY': 'console', 'VTNr': 1}, {'Display': 'x\r'},
        {'Remote': 'yes'}, {'RemoteHost': 'x' * 1025}, {'RemoteUser': 'a\0b'}, {'ExtraDeviceAccess': 'x'}, {'ExtraDeviceAccess': [1]}, {'Colour': 1},
    ]:
        refused(message(LOGIN + 'CreateSession', {**good, **bad}), INVALID)
    for seat in ['../seat0', 'x' * 60000, '\x1b[31m', 'seat9']:
        refused(message(LOGIN + 'CreateSession', {**good, 'Seat': seat}), LOGIN + 'NoSuchSeat')
    for process in [4194305, {'pid': os.getpid(), 'pidfdId': 2**63}, {'pid': os.getpid(), 'bootId': 'x' * 9000}]:
        refused(message(LOGIN + 'CreateSession', {**good, 'PID': process}), 'io.systemd.System')
"#;
        poke(machine, "alice", script);
        poke(machine, "root", script);
    });
}

#[test]
fn a_login_that_makes_no_sense_is_refused() {
    stays_as_it_is(|machine, broker| {
        let script = r#"
for bad in [
    {'uid': -1}, {'uid': 65535}, {'uid': 2**32 - 1}, {'uid': '1001'}, {'uid': None}, {'gid': -1}, {'gid': None}, {'user': ''}, {'user': '../../etc/passwd'},
    {'user': 'a/b'}, {'user': '..'}, {'user': '0'}, {'user': 'a\nUID=0'}, {'user': 'a' * 300}, {'user': None}, {'class': 'none'}, {'class': 'USER'},
    {'class': 'user\nUID=0'}, {'class': 1}, {'class': None}, {'type': 'x'}, {'type': ''}, {'type': None}, {'home': 'relative'}, {'home': '/a\nb'},
    {'home': '/' * 1025}, {'home': None}, {'shell': 'a\0b'}, {'shell': None}, {'service': 'x' * 1025}, {'service': 'a\x7f'}, {'service': None},
    {'desktop': 'a"b'}, {'desktop': "a'b"}, {'desktop': 'a\\b'}, {'seat': '../seat0'}, {'seat': ''}, {'seat': 1}, {'vtnr': 0}, {'vtnr': 64}, {'vtnr': -1},
    {'vtnr': '1'}, {'tty': 'a\nUID=0'}, {'tty': 'x' * 1025}, {'display': 'x\r'}, {'remote': 'yes'}, {'remote_host': 'x' * 1025},
    {'remote_host': 'a\nSTATE=active'}, {'remote_user': 'a\u0085b'}, {'unknown': 1}, {'leader': 1}, {'retry': 1},
]:
    refused(message('OpenSession', login(**bad)), INVALID)
    refused(message('OpenSession', login(**bad), more=True), INVALID)
"#;
        poke(machine, "root", script);
        assert_eq!(left(machine), Vec::<String>::new());
        assert!(!broker.log().contains("new session"), "{}", broker.log());
    });
}

#[test]
fn nobody_but_root_opens_a_session_or_touches_somebody_elses() {
    let machine = machine(QUICK);
    let broker = machine.start_usherd();
    let bob = Login::of(&machine, "bob");
    let before = (machine.read(session_file(&bob.session)), machine.read(user_file(1002)));
    let script = r#"
denied = BROKER + 'AccessDenied'
for parameters in [login(), login(uid=0, user='root'), login(uid=1002, user='bob'), login(retry=True)]:
    for more in [False, True]:
        refused(message('OpenSession', parameters, more=more), denied)
for method in ['CloseSession', 'TerminateSession']:
    refused(message(method, {'session': BOB}), denied)
for signal in [1, 9, 15, 64]:
    refused(message('KillSession', {'session': BOB, 'whom': 'all', 'signal': signal}), denied)
    refused(message('KillSession', {'session': BOB, 'whom': 'leader', 'signal': signal}), denied)
    refused(message('KillUser', {'uid': 1002, 'signal': signal}), denied)
refused(message('TerminateUser', {'uid': 1002}), denied)
for linger in [True, False]:
    for uid in [0, 1002, 4000000]:
        refused(message('SetLinger', {'uid': uid, 'linger': linger}), denied)
"#;
    poke(&machine, "alice", &format!("BOB = '{}'\n{script}", bob.session));
    assert_eq!((machine.read(session_file(&bob.session)), machine.read(user_file(1002))), before);
    assert_eq!(sessions(&machine), std::slice::from_ref(&bob.session));
    assert_eq!(names(&machine, "/var/lib/systemd/linger"), Vec::<String>::new());
    assert!(!machine.exists(user_file(ALICE)), "{}", broker.log());
    bob.log_out();
    wait_nothing_left(&machine);
}
