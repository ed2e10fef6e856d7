//! seat0 and its virtual terminals: given to whoever the kernel says sits there, and to nobody who just says so.

mod seats_common;

use std::path::Path;

use seats_common::{login, terminal};
use usher_tests::{ALICE, BOB, Machine};

/// What alice's login shell does on a terminal where nobody types: it says where it is, and waits.
const PROFILE: &str = "\
env > ~/environment.new
mv ~/environment.new ~/environment
read line < ~/go
exit
";

/// The application opens a session, shows its record, and closes it.
const SHOW: &str = "#!/bin/sh\n[ $PAM_TYPE = close_session ] || cat /run/systemd/sessions/$XDG_SESSION_ID\n";

fn machine() -> Machine {
    Machine::builder()
        .config("[Login]\nUserStopDelaySec=0\nManager=none\n")
        .file("/home/alice/.bash_profile", PROFILE, 0o644, 1001)
        .file("/etc/show.sh", SHOW, 0o755, 0)
        .pam_line("show", "session optional pam_usher.so")
        .pam_line("show", "session optional pam_exec.so stdout /etc/show.sh")
        // As a display manager that is known by its name, and one that is not.
        .pam_line("lightdm", "session optional pam_usher.so")
        .pam_line("lightdm", "session optional pam_exec.so stdout /etc/show.sh")
        // The user's own wishes, read before.
        .pam_line("wishes", "session required pam_env.so user_readenv=1")
        .pam_line("wishes", "session optional pam_usher.so")
        .pam_line("wishes", "session optional pam_exec.so stdout /etc/show.sh")
        .boot()
}

fn wait_shell(machine: &Machine) -> String {
    machine.wait_for("the shell", || machine.exists("/home/alice/environment"));
    machine.read("/home/alice/environment")
}

fn seat(machine: &Machine, session: &str) -> (Option<String>, Option<String>) {
    let mut record = machine.state(&format!("sessions/{session}"));
    (record.remove("SEAT"), record.remove("VTNR"))
}

fn on_seat0(number: u32) -> (Option<String>, Option<String>) {
    (Some("seat0".to_owned()), Some(number.to_string()))
}

#[test]
fn a_login_on_a_virtual_terminal_is_on_seat0() {
    let Some(_tty) = terminal(7) else { return };
    let machine = machine();
    let _usherd = machine.start_usherd();
    let _login = login(&machine, "alice", 7);
    let environment = wait_shell(&machine);
    for line in ["XDG_SEAT=seat0", "XDG_VTNR=7", "XDG_SESSION_TYPE=tty", "XDG_SESSION_CLASS=user"] {
        assert!(environment.lines().any(|have| have == line), "{line} in {environment}");
    }
    let id = machine.sessions(&ALICE)[0].clone();
    assert_eq!(seat(&machine, &id), on_seat0(7));
    assert_eq!(machine.state_of(&format!("sessions/{id}"), "TTY"), "tty7");
    let record = machine.state("seats/seat0");
    assert!(record["SESSIONS"].split(' ').any(|session| session == id), "{record:?}");
    // In the foreground is what the kernel shows; the host decides that here.
    let foreground = std::fs::read_to_string("/sys/class/tty/tty0/active").unwrap().trim() == "tty7";
    let state = if foreground { "active" } else { "online" };
    assert_eq!(machine.state_of(&format!("sessions/{id}"), "STATE"), state);
    assert_eq!(machine.state_of("users/1001", "STATE"), state);
    let shown = machine.run(&["usherctl", "show-session", &id, "-P", "Seat", "-P", "VTNr"]);
    assert_eq!(shown.text(), "7\nseat0");
    let status = machine.run(&["usherctl", "session-status", &id]);
    assert!(status.stdout.contains("Seat: seat0; vc7\n"), "{status}");

    machine.as_user("alice", &["sh", "-c", "echo > ~/go"]);
    machine.wait_gone(&ALICE);
    assert_eq!(machine.state("seats/seat0").get("SESSIONS"), None);
}

#[test]
fn a_terminal_has_one_session_and_another_one_after_it() {
    let Some(_tty) = terminal(8) else { return };
    let machine = machine();
    let _usherd = machine.start_usherd();
    let _login = login(&machine, "alice", 8);
    wait_shell(&machine);
    // su there is in the session; a process from elsewhere that claims the terminal has no part in it.
    let claimed =
        machine.run(&["pamtester", "-I", "tty=tty8", "show", "bob", "open_session", "close_session"]);
    assert!(claimed.stdout.contains("\nTTY=tty8\n") && !claimed.stdout.contains("\nSEAT="), "{claimed}");
    machine.wait_gone(&BOB);
    // Not even from a display manager: its login goes on, in no session.
    let words =
        ["-E", "XDG_SEAT=seat0", "-E", "XDG_VTNR=8", "lightdm", "bob", "open_session", "close_session"];
    machine.run(&[&["pamtester"], &words[..]].concat());
    assert!(!machine.exists("/run/systemd/users/1002"));
    machine.as_user("alice", &["sh", "-c", "echo > ~/go"]);
    machine.wait_gone(&ALICE);
    machine.sh("rm /home/alice/environment");
    let _login = login(&machine, "alice", 8);
    wait_shell(&machine);
    assert_eq!(seat(&machine, &machine.sessions(&ALICE)[0]), on_seat0(8));
}

#[test]
fn a_service_with_the_terminal_as_its_own_is_believed_too() {
    let Some(_tty) = terminal(9) else { return };
    let machine = machine();
    let _usherd = machine.start_usherd();
    let pam = |tty: &str, more: &str| {
        let script = format!("setsid --ctty --wait pamtester -I tty={tty} {more} open_session < /dev/tty9");
        machine.sh(&script).stdout
    };
    let shown = pam("/dev/tty9", "show bob");
    assert!(shown.contains("\nSEAT=seat0\n") && shown.contains("\nVTNR=9\n"), "{shown}");
    machine.wait_gone(&BOB);
    // Its own terminal is not the one that it names.
    let shown = pam("tty10", "show bob");
    assert!(!shown.contains("\nSEAT=") && !shown.contains("\nVTNR="), "{shown}");
    machine.wait_gone(&BOB);
    // Nor is somebody there who has come over the network.
    let shown = pam("tty9", "-I rhost=example.org show bob");
    assert!(shown.contains("\nREMOTE=1\n") && !shown.contains("\nSEAT="), "{shown}");
    machine.wait_gone(&BOB);
}

#[test]
fn nobodys_word_is_taken() {
    let machine = machine();
    let _usherd = machine.start_usherd();
    let say = |words: &[&str], environment: &[&str]| {
        let command = [&["env"], environment, &["pamtester"], words, &["open_session"]].concat();
        let shown = machine.run(&command).stdout;
        assert!(shown.contains("\nUID=1002\n"), "{shown}");
        for key in ["SEAT", "VTNR"] {
            assert!(!shown.contains(&format!("\n{key}=")), "{key} in {shown}");
        }
        machine.wait_gone(&BOB);
    };
    // The PAM item, the process's environment, the PAM environment, and the user's own file.
    say(&["-I", "tty=tty3", "show", "bob"], &[]);
    say(&["-I", "tty=/dev/tty1", "show", "bob"], &[]);
    say(&["show", "bob"], &["XDG_SEAT=seat0", "XDG_VTNR=3"]);
    say(&["-E", "XDG_SEAT=seat0", "-E", "XDG_VTNR=3", "-E", "XDG_SESSION_TYPE=x11", "show", "bob"], &[]);
    let file = "XDG_SEAT DEFAULT=seat0\nXDG_VTNR DEFAULT=1\n";
    machine.as_user("bob", &["sh", "-c", &format!("printf '{file}' > ~/.pam_environment")]);
    say(&["wishes", "bob"], &[]);
    // Not even a display manager's, about somebody from elsewhere.
    say(&["-I", "rhost=example.org", "-E", "XDG_SEAT=seat0", "-E", "XDG_VTNR=3", "lightdm", "bob"], &[]);
    // And over real ssh, with everything that its client sends.
    let set = ["-o", "SetEnv=XDG_SEAT=seat0 XDG_VTNR=1 XDG_SESSION_CLASS=greeter XDG_SESSION_TYPE=wayland"];
    machine.start_sshd();
    let record = "cat /run/systemd/sessions/$XDG_SESSION_ID";
    let shown = machine.run(&[&["ssh"], &set[..], &["bob@localhost", record]].concat()).stdout;
    assert!(shown.contains("\nCLASS=user\n") && shown.contains("\nTYPE=tty\n"), "{shown}");
    assert!(!shown.contains("\nSEAT=") && !shown.contains("\nVTNR="), "{shown}");
}

#[test]
fn a_display_manager_is_believed() {
    if !Path::new("/sys/class/tty/tty0/active").exists() {
        return eprintln!("not tested: this computer has no virtual terminals");
    }
    let machine = machine();
    let _usherd = machine.start_usherd();
    let words =
        ["-E", "XDG_SEAT=seat0", "-E", "XDG_VTNR=11", "-E", "XDG_SESSION_TYPE=wayland", "lightdm", "bob"];
    let shown = machine.run(&[&["pamtester"], &words[..], &["open_session"]].concat()).stdout;
    for line in ["SEAT=seat0", "VTNR=11", "TYPE=wayland", "CLASS=user"] {
        assert!(shown.lines().any(|have| have == line), "{line} in {shown}");
    }
    machine.wait_gone(&BOB);
}
