//! A login that gives up in the very moment in which usherd answers it: the answer is sent and nobody ever reads it. The
//! login goes on without a session, so it must have none, though its process lives.

mod faults_common;

use faults_common::*;
use usher_tests::{Background, Machine};

const POKE: &str = include_str!("faults_common/poke.py");

/// Opens a session for alice, hangs up as the script says, and lives on.
fn caller<'m>(machine: &'m Machine, script: &str) -> Background<'m> {
    let text = format!(
        "{POKE}\nlink = connect()\n{script}\nlink.close()\nprint('gone', flush=True)\ntime.sleep(1000)\n"
    );
    machine.spawn(&["python3", "-c", &text])
}

/// Waits until there is something to read, and does not read it.
const ANSWERED: &str = "import select\nselect.select([link], [], [])\n";

fn hangs_up<'m>(machine: &'m Machine, script: &str) -> (Background<'m>, String) {
    let caller = caller(machine, script);
    let leader = caller.pid();
    let session = machine.wait_some("a session", || session_led_by(machine, leader));
    (caller, session)
}

#[test]
fn nobody_has_read_that_there_is_a_session() {
    let machine = machine(QUICK);
    let broker = machine.start_usherd();
    for more in ["False", "True"] {
        let script = format!(
            "link.sendall(message('OpenSession', login(), more={more}))\n{ANSWERED}while os.path.exists('/run/wait'): time.sleep(0.01)\n"
        );
        machine.sh("touch /run/wait");
        let (mut caller, session) = hangs_up(&machine, &script);
        machine.sh("rm /run/wait");
        machine.wait_for("the caller to hang up", || caller.log().contains("gone"));
        machine.wait_for("its session to be gone", || !machine.exists(session_file(&session)));
        wait_nothing_left(&machine);
        assert!(caller.is_running(), "{}", broker.log());
    }
}

#[test]
fn nobody_has_read_that_there_is_a_session_and_the_manager_is_not_ready_yet() {
    let machine = machine(
        "[Login]\nUserStopDelaySec=0\nManager=/bin/sleep 1000\nManagerReadyWaitSec=1\nManagerStopTimeoutSec=1\n",
    );
    let _broker = machine.start_usherd();
    let script = format!("link.sendall(message('OpenSession', login(), more=True))\n{ANSWERED}");
    let (mut caller, session) = hangs_up(&machine, &script);
    machine.wait_for("its session to be gone", || !machine.exists(session_file(&session)));
    wait_nothing_left(&machine);
    assert!(caller.is_running());
}

/// The login knows of its session: whatever it did not wait for takes nothing away from that.
#[test]
fn what_was_read_stays_though_the_last_word_was_not() {
    let machine = machine(
        "[Login]\nUserStopDelaySec=0\nManager=/bin/sleep 1000\nManagerReadyWaitSec=1\nManagerStopTimeoutSec=1\n",
    );
    let _broker = machine.start_usherd();
    let open = "link.sendall(message('OpenSession', login(), more=True))\nprint(next(replies(link)))\n";
    // It hangs up before usherd has said the last word; or after that, without having read it.
    for rest in ["", ANSWERED] {
        let (mut caller, session) = hangs_up(&machine, &format!("{open}{rest}"));
        machine.wait_for("the caller to hang up", || caller.log().contains("gone"));
        // The last word comes when usherd gives up waiting for the manager, and this login's, which came later, after it.
        let later = "link = connect()\nlink.sendall(message('OpenSession', login(), more=True))\nanswers = replies(link)\n\
            while next(answers).get('continues'): pass";
        machine.run(&["python3", "-c", &format!("{POKE}\n{later}")]);
        machine.wait_for("the later login to be over", || logins(&machine) == [session.clone()]);
        assert_eq!(state_of(&machine, &session).as_deref(), Some("active"));
        caller.kill9();
        machine.wait_for("its session to be gone", || !machine.exists(session_file(&session)));
        wait_nothing_left(&machine);
    }
}

/// One who has read the answer and hangs up is what the PAM module is.
#[test]
fn what_was_read_stays() {
    let machine = machine(QUICK);
    let _broker = machine.start_usherd();
    let script = "link.sendall(message('OpenSession', login()))\nprint(next(replies(link)))\n";
    let (mut caller, session) = hangs_up(&machine, script);
    machine.wait_for("the caller to hang up", || caller.log().contains("gone"));
    let bob = Login::of(&machine, "bob");
    bob.log_out();
    machine.wait_for("bob to be gone", || !machine.exists(user_file(1002)));
    assert_eq!(state_of(&machine, &session).as_deref(), Some("active"));
    caller.kill9();
    wait_nothing_left(&machine);
}
