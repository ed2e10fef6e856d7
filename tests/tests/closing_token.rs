//! The token on the wire: who may close with which one, and what is kept of it where.

mod faults_common;

use faults_common::*;
use usher_tests::{Background, Machine};

const POKE: &str = include_str!("faults_common/poke.py");

/// What the scripts share: a leader of a session that stays, and who is who.
const LEADER: &str = r#"
import pwd

def become(name):
    user = pwd.getpwnam(name)
    os.setgroups([]); os.setresgid(user.pw_gid, user.pw_gid, user.pw_gid); os.setresuid(user.pw_uid, user.pw_uid, user.pw_uid)

def open_session(**changes):
    """Opens a session that a child of ours leads; gives its id, its token and the child."""
    ours, theirs = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(ours)
        answer = call('OpenSession', login(**changes))['parameters']
        os.write(theirs, json.dumps([answer['session'], answer['token']]).encode())
        os.close(theirs)
        time.sleep(1000)
    os.close(theirs)
    session, token = json.loads(os.read(ours, 4096))
    return session, token, child

def close(session, token=None, by=None):
    """The answer to somebody who closes, in a process of its own."""
    ours, theirs = os.pipe()
    child = os.fork()
    if child == 0:
        if by: become(by)
        parameters = {'session': session}
        if token is not None: parameters['token'] = token
        os.write(theirs, json.dumps(call('CloseSession', parameters)).encode())
        os._exit(0)
    os.close(theirs)
    answer = json.loads(os.read(ours, 4096))
    os.waitpid(child, 0)
    return answer

def state(session):
    answer = call('GetSession', {'session': session})
    return answer.get('error') or answer['parameters']['session']['state']

GONE = BROKER + 'NoSuchSession'
"#;

fn script(text: &str) -> String {
    format!("{POKE}\n{LEADER}\n{text}")
}

fn poke(machine: &Machine, text: &str) -> String {
    machine.run(&["python3", "-c", &script(text)]).stdout
}

fn stay<'m>(machine: &'m Machine, text: &str) -> Background<'m> {
    let text = script(&format!("{text}\nprint('ready', flush=True)\ntime.sleep(1000)\n"));
    let running = machine.spawn(&["python3", "-c", &text]);
    machine.wait_for("the script", || running.log().contains("ready"));
    running
}

#[test]
fn whoever_shows_it_closes_the_session_and_twice_is_once() {
    let machine = machine(QUICK);
    let _broker = machine.start_usherd();
    let text = r#"
for by in [None, 'alice', 'bob', 'nobody']:
    session, token, child = open_session()
    assert close(session, token, by) == {'parameters': {}}, by
    assert state(session) == GONE
    assert close(session, token, by)['error'] == GONE
    os.kill(child, 9)
"#;
    poke(&machine, text);
    wait_nothing_left(&machine);
}

#[test]
fn another_one_is_worth_nothing_and_all_of_those_are_refused_alike() {
    let machine = machine(QUICK);
    let mut broker = machine.start_usherd();
    let text = r#"
session, token, _ = open_session()
other, others, _ = open_session()
before = open('/run/systemd/sessions/' + session).read()
without = close(session, by='bob')
assert without['error'] == BROKER + 'AccessDenied', without
flipped = token[:-1] + ('0' if token[-1] != '0' else '1')
for wrong in ['', '0', ' ', others, flipped, token.upper() if token.upper() != token else 'A' * 64, token + '0', token[:-1], ' ' + token, token + '\n',
              '0' * 64, 'f' * 64, 'x' * 60000, '\0' * 64, '\u00e9' * 32, session, '../../secret', open('/run/usher/secret', 'rb').read().hex()]:
    for by in ['bob', 'nobody']:
        assert close(session, wrong, by) == without, wrong[:100]
    # A right one of another session, and a session that is none.
    assert close('9999', wrong, 'bob')['error'] == GONE
assert close('9999', token, 'bob')['error'] == GONE
for wrong in [1, [], {}, True, [token]]:
    assert close(session, wrong, 'bob')['error'] == INVALID, wrong
for method in ['TerminateSession', 'GetSession', 'KillSession']:
    answer = call(method, {'session': session, 'token': token})
    assert answer['error'] == INVALID and token not in json.dumps(answer), answer
assert open('/run/systemd/sessions/' + session).read() == before
assert 'closing' not in [state(session), state(other)]
assert close(session, token, 'bob') == {'parameters': {}}
assert state(session) == GONE and state(other) != GONE
"#;
    let script = stay(&machine, text);
    assert!(broker.is_running());
    drop(script);
    machine.run(&["pkill", "-KILL", "python3"]);
    wait_nothing_left(&machine);
}

/// The session's user may close it without; and with a wrong one no less, or a lost key would keep sessions open.
#[test]
fn root_and_the_user_need_none() {
    let machine = machine(QUICK);
    let _broker = machine.start_usherd();
    let text = r#"
for token in [None, 'wrong']:
    for by in [None, 'alice']:
        session, _, child = open_session()
        assert close(session, token, by) == {'parameters': {}}
        assert state(session) == GONE
        os.kill(child, 9)
"#;
    poke(&machine, text);
    wait_nothing_left(&machine);
}

/// The right to leave the session's cgroup comes with the token or with root, not with being the user: or everybody would
/// get what he likes past KillUserProcesses.
#[test]
fn who_closes_from_inside_leaves_by_right_only() {
    let machine = machine(QUICK);
    let _broker = machine.start_usherd();
    let text = r#"
def close_from_inside(by, shows):
    """The leader forks somebody who closes; where that one is afterwards."""
    ours, theirs = os.pipe()
    leader = os.fork()
    if leader == 0:
        opened = call('OpenSession', login())['parameters']
        if os.fork() == 0:
            if by: become(by)
            parameters = {'session': opened['session']}
            if shows: parameters['token'] = opened['token'] if shows == 'right' else '0' * 64
            answer = call('CloseSession', parameters)
            where = [line for line in open('/proc/self/cgroup') if line.startswith('0::')][0].strip()
            os.write(theirs, json.dumps([answer, where, opened['session'], os.getpid()]).encode())
        time.sleep(1000)
    os.close(theirs)
    answer, where, session, child = json.loads(os.read(ours, 4096))
    os.close(ours)
    assert 'error' not in answer, answer
    return where, session, (leader, child)

for by, shows, leaves in [(None, None, True), (None, 'wrong', True), ('alice', 'right', True), ('bob', 'right', True),
                          ('alice', None, False), ('alice', 'wrong', False)]:
    where, session, everybody = close_from_inside(by, shows)
    assert where.endswith('/init.scope') == leaves, (by, shows, where)
    assert where.endswith('session-%s.scope' % session) != leaves, (by, shows, where)
    assert (state(session) == GONE) == leaves, (by, shows)
    for process in everybody: os.kill(process, 9)
    while state(session) != GONE: time.sleep(0.002)
"#;
    poke(&machine, text);
    wait_nothing_left(&machine);
}

/// Closing means one session: a process of another one, or of none, goes nowhere by it.
#[test]
fn closing_moves_nobody_out_of_another_session() {
    let machine = machine(QUICK);
    let _broker = machine.start_usherd();
    let bob = Login::running(&machine, "bob", "while [ ! -e /tmp/token ]; do sleep 0.01; done; sleep 1000");
    let text = r#"
session, token, _ = open_session()
ours, theirs = os.pipe()
if os.fork() == 0:
    # Into bob's session, as root can.
    open('/sys/fs/cgroup/user.slice/user-1002.slice/session-%s.scope/cgroup.procs' % BOB, 'w').write(str(os.getpid()))
    answer = call('CloseSession', {'session': session, 'token': token})
    where = [line for line in open('/proc/self/cgroup') if line.startswith('0::')][0].strip()
    os.write(theirs, json.dumps([answer, where]).encode())
    time.sleep(1000)
answer, where = json.loads(os.read(ours, 4096))
assert answer == {'parameters': {}} and where.endswith('/session-%s.scope' % BOB), (answer, where)
assert state(session) == GONE and state(BOB) != GONE
"#;
    let script = stay(&machine, &format!("BOB = '{}'\n{text}", bob.session));
    drop(script);
    machine.run(&["pkill", "-KILL", "python3"]);
    bob.log_out();
    wait_nothing_left(&machine);
}

#[test]
fn it_is_the_same_after_a_restart_and_void_for_a_session_of_the_same_name() {
    let machine = machine(QUICK);
    let mut broker = machine.start_usherd();
    let text = "session, token, _ = open_session()\nopen('/root/token', 'w').write(session + ' ' + token)\n";
    let leader = stay(&machine, text);
    let secret = machine.run(&["sha256sum", "/run/usher/secret"]).stdout;
    for _ in 0..2 {
        broker.kill9();
        broker.start();
    }
    assert_eq!(machine.run(&["sha256sum", "/run/usher/secret"]).stdout, secret);
    let text = r#"
session, token = open('/root/token').read().split()
assert close(session, token[:-1] + ('0' if token[-1] != '0' else '1'), 'bob')['error'] == BROKER + 'AccessDenied'
assert close(session, token, 'bob') == {'parameters': {}}
assert state(session) == GONE
"#;
    poke(&machine, text);
    drop(leader);
    machine.run(&["pkill", "-KILL", "python3"]);
    wait_nothing_left(&machine);

    // Somebody has made usherd forget which numbers it has given, so the next session has the old one's.
    broker.stop();
    machine.run(&["rm", "/run/usher/next-session"]);
    broker.start();
    let text = r#"
old, token = open('/root/token').read().split()
session, again, child = open_session()
assert session == old and again != token
assert close(session, token, 'bob')['error'] == BROKER + 'AccessDenied'
assert close(session, again, 'bob') == {'parameters': {}}
os.kill(child, 9)
"#;
    poke(&machine, text);
    wait_nothing_left(&machine);
}

/// A key that somebody may have read, or that is none, is made anew; logins and logouts do not suffer.
#[test]
fn a_spoilt_key_is_replaced() {
    let machine = machine(QUICK);
    let mut broker = machine.start_usherd();
    for spoil in [
        "chmod 644 /run/usher/secret",
        "chown alice /run/usher/secret",
        "truncate -s 16 /run/usher/secret",
        "rm /run/usher/secret; ln -s /etc/passwd /run/usher/secret",
        "rm /run/usher/secret; mkdir /run/usher/secret",
    ] {
        let login = Login::of(&machine, "alice");
        machine.sh(spoil);
        broker.kill9();
        broker.start();
        assert!(broker.log().contains("/run/usher/secret is no key"), "{spoil}: {}", broker.log());
        login.log_out();
        wait_nothing_left(&machine);
        machine.run(&["rm", "-rf", "/run/usher/secret.new"]);
        let again = machine.run(&["stat", "-c", "%F %U %a %s", "/run/usher/secret"]);
        if spoil.contains("mkdir") {
            assert!(broker.log().contains("cannot write /run/usher/secret"), "{}", broker.log());
            machine.run(&["rmdir", "/run/usher/secret"]);
        } else {
            assert_eq!(again.text(), "regular file root 600 32", "{spoil}");
        }
    }
    assert_eq!(machine.run(&["stat", "-c", "%U %a", "/etc/passwd"]).text(), "root 644");
}

/// Neither a log, nor a file that others read, nor an environment has a token in it.
#[test]
fn it_is_nowhere_to_be_seen() {
    let machine = machine(QUICK);
    let mut broker = machine.start_usherd();
    let text = r#"
session, token, child = open_session()
close(session, token[1:], 'bob')
call('TerminateSession', {'session': session, 'token': token})
for parameters in [{'token': token, 'x': 1}, {'tokens': token}]:
    link = connect()
    link.sendall(message('CloseSession', dict(parameters, session=session), oneway=True) + message('ListUsers'))
    assert 'users' in next(replies(link))['parameters']
open('/root/token', 'w').write(token)
"#;
    let leader = stay(&machine, text);
    let token = machine.read("/root/token");
    assert_eq!(token.len(), 64, "{token}");
    let part = &token[8..56];
    broker.signal(nix::sys::signal::Signal::SIGHUP);
    let everything =
        machine.sh("cat /run/usher/next-session /run/systemd/*/* 2>/dev/null; cat /run/sandbox/syslog");
    assert!(everything.stdout.contains("STATE="), "{everything}");
    assert!(!everything.stdout.contains(part) && !broker.log().contains(part));
    let shown = machine.run(&["usherctl", "show-session", "--json=short", "1"]);
    assert!(!shown.stdout.contains(part), "{shown}");
    drop(leader);

    // The module gives it to nobody either.
    let environment =
        machine.run(&["su", "-", "alice", "-c", "env; tr '\\0' '\\n' < /proc/self/environ"]).stdout;
    assert!(environment.contains("XDG_SESSION_ID=") && !environment.to_lowercase().contains("token"));
    let hex = |word: &str| word.len() >= 64 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
    assert!(!environment.split(|c: char| !c.is_ascii_alphanumeric()).any(hex), "{environment}");
    let secret = machine.try_as_user("alice", &["cat", "/run/usher/secret"]);
    assert!(!secret.ok() && secret.stderr.contains("Permission denied"), "{secret}");
}
