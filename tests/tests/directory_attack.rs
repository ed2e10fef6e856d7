//! A process of the user's fights the removal of the own runtime directory: it swaps directories and links, fills and nests
//! them, and has nothing to win. Nobody else waits meanwhile.

mod faults_common;

use std::time::{Duration, Instant};

use faults_common::*;
use usher_tests::{Background, Machine};

/// For what must not wait for anybody, on a busy computer.
const SOON: Duration = Duration::from_secs(5);

/// Outside of every session, so that usherd does not wait for its end.
const ATTACK: &str = r#"
import os, shutil
top = '/run/user/1001'
def tried(call, *args, **more):
    try: return call(*args, **more)
    except OSError: pass
print('begins', flush=True)
n = 0
while True:
    n += 1
    name = '%s/%d' % (top, n % 5)
    tried(os.mkdir, name)
    tried(os.makedirs, name + '/deep/er/and/deeper')
    for at in [top, name, name + '/deep']:
        tried(os.symlink, '/tmp/target', '%s/link%d' % (at, n % 3))
        tried(os.close, tried(os.open, '%s/file%d' % (at, n), os.O_CREAT | os.O_WRONLY, 0o600) or -1)
    tried(os.rename, name, '%s/moved%d' % (top, n % 7))
    tried(os.rename, '%s/link%d' % (top, n % 3), name)
    tried(os.rename, name + '/deep', '/tmp/hers/deep%d' % n)
    if n % 50 == 0:
        for old in os.listdir('/tmp/hers'):
            if old != 'precious': shutil.rmtree('/tmp/hers/' + old, ignore_errors=True)
"#;

fn is_attacked<'m>(machine: &'m Machine, broker: &Background<'m>) {
    machine.sh("mkdir -m 777 /tmp/target; echo precious > /tmp/target/precious; mkdir /tmp/target/dir; \
         install -d -m 755 -o alice -g alice /tmp/hers; install -o alice /dev/null /tmp/hers/precious");
    let all = "/tmp/target /tmp/target/precious /tmp/target/dir /tmp/hers /tmp/hers/precious /run/user";
    let outside = || machine.sh(&format!("stat -c '%n %a %u %i' {all}; cat /tmp/target/precious")).stdout;
    let before = outside();
    let login = Login::running(machine, "alice", "exec sleep 1000");
    let mut attack = machine.spawn_as("alice", &["python3", "-c", ATTACK]);
    machine.wait_for("the attack", || attack.log().contains("begins"));
    login.log_out();

    // It goes on, while others come and go.
    for _ in 0..3 {
        let start = Instant::now();
        let bob = Login::running(machine, "bob", "echo $XDG_RUNTIME_DIR; exec sleep 1000");
        machine.wait_for("its environment", || bob.su.log().contains("/run/user/1002"));
        machine.run(&["usherctl", "list-users"]);
        bob.log_out();
        assert!(start.elapsed() < SOON, "{:?}", start.elapsed());
    }
    assert!(attack.is_running(), "{}", attack.log());
    attack.kill9();
    machine.wait_for("alice to be gone", || !machine.exists(user_file(ALICE)));
    assert_eq!(outside(), before);
    if machine.exists(RUNTIME) {
        assert!(broker.log().contains(RUNTIME), "what is left is reported: {}", broker.log());
    }

    // And whatever it has left, the next login finds a directory, and its logout takes it away.
    let next = Login::running(machine, "alice", "echo $XDG_RUNTIME_DIR; exec sleep 1000");
    machine.wait_for("its environment", || next.su.log().contains(RUNTIME));
    next.log_out();
    wait_nothing_left(machine);
}

#[test]
fn a_tmpfs() {
    let machine = machine(QUICK);
    is_attacked(&machine, &start_usherd_by(&machine, &[]));
}

#[test]
fn a_plain_directory() {
    let machine = machine(QUICK);
    is_attacked(&machine, &start_usherd_by(&machine, &["setpriv", "--bounding-set=-sys_admin"]));
}
