//! Mounting is not permitted, as in many containers: the runtime directory is a plain one, and at the end its contents are
//! deleted with the user's rights, whatever he has put there.

mod faults_common;

use faults_common::*;
use usher_tests::{Background, Machine};

fn start(machine: &Machine) -> Background<'_> {
    start_usherd_by(machine, &["setpriv", "--bounding-set=-sys_admin"])
}

#[test]
fn a_plain_directory_comes_and_goes() {
    let machine = machine(QUICK);
    let mut broker = start(&machine);
    for _ in 0..2 {
        let login = Login::running(&machine, "alice", "echo $XDG_RUNTIME_DIR; exec sleep 1000");
        machine.wait_for("its environment", || login.su.log().contains(RUNTIME));
        assert!(machine.mounted(RUNTIME).is_none());
        assert_eq!(machine.run(&["stat", "-c", "%u %g %a %F", RUNTIME]).text(), "1001 1001 700 directory");
        let before = identity(&machine, RUNTIME);
        broker.kill9();
        broker = start(&machine);
        assert_eq!(identity(&machine, RUNTIME), before);
        assert_eq!(state_of(&machine, &login.session).as_deref(), Some("active"));
        login.log_out();
        wait_nothing_left(&machine);
    }
    assert!(module_lines(&machine).is_empty(), "{:?}", module_lines(&machine));
}

/// Everything that a user can do to make deleting hard or dangerous.
const HOSTILE: &str = r#"
import os, socket
os.chdir(os.environ['XDG_RUNTIME_DIR'])
os.symlink('/etc', 'etc'); os.symlink('/etc/passwd', 'passwd'); os.symlink('/tmp/target', 'target'); os.symlink('.', 'self'); os.symlink('nowhere', 'dangling')
os.mkdir('links')
for name in ['/', '..', '../..', '/tmp/target', '/tmp/target/precious']: os.symlink(name, 'links/to' + name.replace('/', '_'))
os.mkfifo('fifo'); socket.socket(socket.AF_UNIX).bind('socket')
for name in [b'\xff\xfe', b'new\nline', b'-rf', b' ', b'x' * 255, b'..a', '\u202e'.encode()]:
    os.mkdir(name); open(os.path.join(name, name), 'w').close()
os.makedirs('locked/in/there'); open('locked/in/there/file', 'w').close()
for path in ['locked/in/there/file', 'locked/in/there', 'locked/in', 'locked']: os.chmod(path, 0)
os.makedirs('readonly/dir'); open('readonly/file', 'w').close(); os.chmod('readonly', 0o555)
os.mkdir('many')
for n in range(5000): open('many/%d' % n, 'w').close()
top = os.open('.', os.O_RDONLY)
for n in range(300): os.mkdir('d'); os.chdir('d')
open('bottom', 'w').close()
for n in range(3000): os.mkdir('x' * 200); os.chdir('x' * 200)
os.symlink('/tmp/target', 'target')
os.fchdir(top)
print('made', flush=True)
os.execvp('sleep', ['sleep', '1000'])
"#;

#[test]
fn hostile_contents_go_and_nothing_else_does() {
    let machine = Machine::builder().config(QUICK).file("/usr/local/bin/hostile", HOSTILE, 0o755, 0).boot();
    let broker = start(&machine);
    machine.sh("mkdir -m 777 /tmp/target; echo precious > /tmp/target/precious; mkdir /tmp/target/dir");
    let listing = || machine.sh("ls -lR /tmp/target; ls -l /etc | md5sum; md5sum /etc/passwd").stdout;
    let login = Login::running(&machine, "alice", "exec python3 /usr/local/bin/hostile");
    machine.wait_for("the mess", || login.su.log().contains("made"));
    let before = listing();
    login.log_out();
    wait_nothing_left(&machine);
    assert_eq!(listing(), before);
    assert!(!broker.log().contains("ERROR"), "{}", broker.log());
}

/// What root has put into the directory, the user cannot delete, and usherd does not: it is reported, and harms nobody.
#[test]
fn contents_of_root_stay_and_are_reported() {
    let machine = machine(QUICK);
    let broker = start(&machine);
    let login = Login::running(&machine, "alice", "touch $XDG_RUNTIME_DIR/mine; exec sleep 1000");
    machine.wait_for("her file", || machine.exists(format!("{RUNTIME}/mine")));
    machine.sh("mkdir -p /run/user/1001/roots/own; touch /run/user/1001/roots/own/precious");
    login.log_out();
    machine.wait_for("the user to be gone", || !machine.exists(user_file(ALICE)));
    assert!(
        machine.exists(format!("{RUNTIME}/roots/own/precious")) && !machine.exists(format!("{RUNTIME}/mine"))
    );
    assert!(
        broker.log().contains(&format!("ERROR remove the contents of {RUNTIME}"))
            || broker.log().contains(&format!("ERROR cannot remove the contents of {RUNTIME}")),
        "{}",
        broker.log()
    );
    let next = Login::running(&machine, "alice", "echo $XDG_RUNTIME_DIR; exec sleep 1000");
    machine.wait_for("its environment", || next.su.log().contains(RUNTIME));
    machine.sh("rm -r /run/user/1001/roots");
    next.log_out();
    wait_nothing_left(&machine);
}

/// A directory that is there already and holds what is not the user's cannot be covered here: it is refused.
#[test]
fn a_directory_of_root_with_something_in_it_is_refused() {
    let machine = machine(QUICK);
    let broker = start(&machine);
    machine.sh("mkdir -p -m 755 /run/user/1001; touch /run/user/1001/precious");
    let login = Login::running(&machine, "alice", "echo ${XDG_RUNTIME_DIR-none}; exec sleep 1000");
    machine.wait_for("its environment", || login.su.log().contains("none"));
    assert_eq!(machine.run(&["stat", "-c", "%u %a", RUNTIME]).text(), "0 755");
    let words = "is not empty, and mounting over it is not permitted here; move its contents away";
    assert!(broker.log().contains(words), "{}", broker.log());
    assert!(machine.run(&["usherctl", "user-status", "alice"]).stdout.contains(words));
    login.log_out();
    machine.wait_for("the user to be gone", || !machine.exists(user_file(ALICE)));
    assert!(machine.exists(format!("{RUNTIME}/precious")));
}
