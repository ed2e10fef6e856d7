//! What happens to a machine with usher, whatever its init is: it gets the package, is rebooted, and gives the package back.

use std::time::Duration;

use usher_tests::Container;

use super::console::Screen;
use super::image::{Init, PACKAGE};
use super::login::{QUESTIONS, Ssh, is_plain, is_served, ssh};

/// How long bob's slow service takes to stop. Inits kill what has not stopped after 10 s (the script sendsigs), unless usherd
/// stops it in order before.
const SLOW: Duration = Duration::from_secs(12);
/// What an init needs to go down, besides what it waits for. Some seconds on a quiet computer.
const SLACK: Duration = Duration::from_secs(20);
/// How long the program sleeps that heeds no signal but SIGKILL, which it gets after the time below.
const DEAF: &str = "4711";
const SETTINGS: &str = "[Login]\nSessionStopTimeoutSec=4s\n";

/// What the service of marks does when it is stopped in order: its ExecStop= comes before the signal.
const STARTED: &str = "started\n";
const STOPPED: &str = "asked\ntold\nstopped\n";

/// Installed on a running machine; logins by console and ssh; linger; reboot and shutdown.
pub(crate) fn is_installed_and_rebooted(init: &Init) {
    let image = init.image();
    let mut container = init.start(&image).file("/etc/usher/usher.conf.d/test.conf", SETTINGS, 0o644).boot();
    let mut screen = Screen::login(&mut container, "alice", "wonderland");
    let answer = screen.ask(QUESTIONS);
    screen.logout();
    is_plain(&container, &answer);
    is_plain(&container, &ssh(&container, "bob", QUESTIONS));

    // Nothing but the package: it starts usherd, and the next login has everything.
    container.run(&["dpkg", "-i", PACKAGE]);
    let mut bob = Ssh::login(&container, "bob");
    is_served(&container, &bob.answer, 1002);
    let mut screen = Screen::login(&mut container, "alice", "wonderland");
    let answer = screen.ask(QUESTIONS);
    assert_eq!(screen.ask("loginctl show-session $XDG_SESSION_ID -p Service --value"), "login");
    screen.ask("loginctl enable-linger");
    is_served(&container, &answer, 1001);
    bob.ask(&container, "systemctl --user start slow.service");
    bob.ask(&container, &format!("(trap '' TERM HUP; exec sleep {DEAF}) > /dev/null 2>&1 &"));

    // Everybody is still there.
    container.run(&["reboot"]);
    let time = container.wait_rebooted(SLOW + SLACK);
    eprintln!("{}: down in {time:?}", init.name);
    drop(bob);
    assert_eq!(container.read("/home/bob/marks"), [STARTED, STOPPED].concat(), "{}", container.dump());

    let found = container.run(&["usherctl", "doctor"]).stdout.to_lowercase();
    assert!(found.contains(&format!("pid 1 is {}", init.name)), "{found}");

    // Alice's services run, and nobody has logged in.
    let twice = [STARTED, STOPPED, STARTED].concat();
    container.wait_for("alice's service", || container.read("/home/alice/marks") == twice);
    assert_eq!(container.read("/home/bob/slow"), "stopped\n", "{}", container.dump());
    let users = container.run(&["loginctl", "list-users", "--no-legend"]).stdout;
    assert_eq!(users.split_whitespace().collect::<Vec<_>>(), ["1001", "alice", "yes", "lingering"]);
    is_served(&container, &ssh(&container, "bob", QUESTIONS), 1002);
    let mut screen = Screen::login(&mut container, "alice", "wonderland");
    let answer = screen.ask(QUESTIONS);
    is_served(&container, &answer, 1001);

    container.run(&["poweroff"]);
    container.wait_off(SLACK);
    assert_eq!(container.read_off("/home/alice/marks"), [twice.as_str(), STOPPED].concat());
}

/// In the machine from the start; taken out while somebody is logged in.
pub(crate) fn is_taken_out(init: &Init) {
    let image = init.image();
    let install = format!("cp -a /etc/pam.d /root/pam.d; dpkg -i {PACKAGE}");
    let mut container = init.start(&image).prepare(&install).boot();
    container.wait_for("usherd", || container.try_run(&["loginctl"]).ok());
    container.run(&["loginctl", "enable-linger", "alice"]);
    let mut bob = Ssh::login(&container, "bob");
    is_served(&container, &bob.answer, 1002);

    container.run(&["dpkg", "-r", "usher"]);
    assert_eq!(running(&container), "");
    assert_eq!(bob.ask(&container, "echo hello"), "hello", "bob was logged out");
    is_plain(&container, &ssh(&container, "bob", QUESTIONS));
    let mut screen = Screen::login(&mut container, "alice", "wonderland");
    let answer = screen.ask(QUESTIONS);
    screen.logout();
    is_plain(&container, &answer);

    container.run(&["dpkg", "-P", "usher"]);
    container.run(&["diff", "-r", "/root/pam.d", "/etc/pam.d"]);
    assert!(!container.exists("/etc/usher"), "settings are left");
    assert_eq!(container.sh("find / -xdev -iname '*usherd*' -o -iname '*pam_usher*'").stdout, "");
    container.run(&["reboot"]);
    container.wait_rebooted(SLACK);
    is_plain(&container, &ssh(&container, "bob", QUESTIONS));
    let mut screen = Screen::login(&mut container, "alice", "wonderland");
    let answer = screen.ask(QUESTIONS);
    screen.logout();
    is_plain(&container, &answer);
}

fn running(container: &Container) -> String {
    container.try_run(&["pgrep", "-l", "usherd"]).stdout
}
