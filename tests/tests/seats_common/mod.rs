//! What tests of seat0 have in common: virtual terminals, and logins on them.
//!
//! The terminals are the host's, so that two tests must not use the same one at a time. Where there are none, as in most
//! containers, the tests of them say so and pass.

// Each test program uses its own part of this.
#![allow(dead_code)]

use std::fs::File;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use nix::fcntl::OFlag;
use rustix::fs::{FlockOperation, flock};
use usher_tests::{ALICE, BOB, Background, Machine, Output, Person};

/// The terminal with that number, this test's alone until the file is closed; nothing where there is none that works.
pub(crate) fn terminal(number: u32) -> Option<File> {
    let path = format!("/dev/tty{number}");
    if !Path::new("/sys/class/tty/tty0/active").exists() {
        eprintln!("not tested: this computer has no virtual terminals");
        return None;
    }
    // Not as a controlling terminal, whoever runs the test.
    match File::options().read(true).write(true).custom_flags(OFlag::O_NOCTTY.bits()).open(&path) {
        Ok(file) => {
            flock(&file, FlockOperation::LockExclusive).unwrap();
            Some(file)
        }
        Err(error) => {
            eprintln!("not tested: {path} does not work here: {error}");
            None
        }
    }
}

/// login(1) as getty starts it: leader of a session with that controlling terminal, and nobody at the keyboard.
pub(crate) fn login<'m>(machine: &'m Machine, user: &str, number: u32) -> Background<'m> {
    machine.as_user(user, &["sh", "-c", "test -p ~/go || mkfifo ~/go"]);
    // The shell is the leader of a session without a terminal: the first one that it opens becomes that.
    let script = format!("exec login -f {user} < /dev/tty{number} > /dev/tty{number} 2>&1");
    machine.spawn(&["sh", "-c", &script])
}

/// What a login shell does on a virtual terminal, where nobody types: it does what is written to a FIFO, and leaves the answers and
/// exit codes in a file.
const PROFILE: &str = "\
case $(tty) in /dev/tty*) ;; *) return ;; esac
touch ~/ready
while read line < ~/go; do
    { eval \"$line\"; echo \"code $?\"; } > ~/answer.new 2>&1
    mv ~/answer.new ~/answer
done
exit
";

/// A machine whose people have such shells.
pub(crate) fn machine() -> Machine {
    Machine::builder()
        .config("[Login]\nUserStopDelaySec=0\nManager=none\n")
        .file("/home/alice/.bash_profile", PROFILE, 0o644, ALICE.uid)
        .file("/home/bob/.bash_profile", PROFILE, 0o644, BOB.uid)
        .boot()
}

/// Waits for the shell of a login on a terminal; gives its session.
pub(crate) fn wait_session(machine: &Machine, person: &Person) -> String {
    let ready = format!("/home/{}/ready", person.name);
    machine.wait_for("the shell", || machine.exists(&ready));
    machine.sessions(person)[0].clone()
}

/// Has a command done by the shell on the terminal.
pub(crate) fn inside(machine: &Machine, person: &Person, command: &str) -> (i32, String) {
    let answer = format!("/home/{}/answer", person.name);
    machine.as_user(person.name, &["sh", "-c", &format!("rm -f {answer}; echo '{command}' > ~/go")]);
    machine.wait_for("an answer", || machine.exists(&answer));
    let text = machine.read(&answer);
    let (text, code) = text.trim_end().rsplit_once("code ").unwrap();
    (code.parse().unwrap(), text.to_owned())
}

/// What came of a command of usherctl.
pub(crate) fn usherctl(machine: &Machine, caller: &Person, words: &[&str]) -> Output {
    machine.try_as_user(caller.name, &[&["usherctl"][..], words].concat())
}

/// What such a command has shown.
pub(crate) fn shown(machine: &Machine, caller: &Person, words: &[&str]) -> String {
    let output = usherctl(machine, caller, words);
    assert!(output.ok(), "{words:?}: {output}");
    output.stdout
}

/// Such a command fails, with this text.
pub(crate) fn refused(machine: &Machine, caller: &Person, words: &[&str], text: &str) {
    let output = usherctl(machine, caller, words);
    assert_eq!((output.code, output.stderr.trim_end()), (1, text), "{words:?} by {}", caller.name);
}
