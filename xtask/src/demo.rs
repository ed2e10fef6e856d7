//! The main job, shown step by step on a machine of its own. Everything printed is what real programs wrote, and every
//! step is checked: where something is not so, the demo stops with all there is to know about the machine, and fails.

use std::panic::{self, AssertUnwindSafe, PanicHookInfo};
use std::process::ExitCode;

use anyhow::Result;
use usher_tests::{Machine, Shell};

const ALICE: &str = "/user.slice/user-1001.slice";
const RUNTIME_DIRECTORY: &str = "/run/user/1001";
const MANAGER: &str = "/user.slice/user-1001.slice/user@1001.service";

/// usher waits ten seconds after the last logout unless told otherwise; nobody wants to watch that.
const CONFIG: &str = "[Login]\nUserStopDelaySec=1s\n";

const UNIT: &str = "\
[Unit]
Description=Says hello, then stays

[Service]
ExecStart=/bin/sh -c 'echo Hello from %u; exec sleep infinity'
";

/// Shows it all, or says where it stopped.
pub(crate) fn run() -> Result<ExitCode> {
    let machine = Machine::builder().config(CONFIG).user_unit("alice", "hello.service", UNIT).try_boot()?;
    // A failed check panics with the machine's state as its message; where in this program it was is of no interest.
    panic::set_hook(Box::new(|stop| eprintln!("\nThe demo stops here: {}", message(stop))));
    let shown = panic::catch_unwind(AssertUnwindSafe(|| show(&Stage { machine: &machine })));
    let _ = panic::take_hook();
    Ok(if shown.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What panic! was given: a text with parts to fill in, or one without.
fn message(stop: &PanicHookInfo<'_>) -> String {
    let text = stop.payload().downcast_ref::<String>().map(String::as_str);
    text.or_else(|| stop.payload().downcast_ref::<&str>().copied())
        .unwrap_or("for an unknown reason")
        .to_owned()
}

fn show(stage: &Stage<'_>) {
    let machine = stage.machine;
    stage.say("A machine of its own, in namespaces. Its PID 1 is not systemd, and nobody is logged in.");
    stage.root("ps -o pid,args 1");
    stage.say("The broker starts.");
    let usherd = machine.start_usherd();
    print("#", "usherd &", &usherd.log());
    stage.root("usherctl list-sessions");

    stage
        .say("alice logs in through the real sshd. pam_usher.so gets her a session before the shell starts.");
    let mut ssh = stage.login("ssh alice@localhost", |machine| machine.ssh_session("alice"));
    let id = stage.alice(&mut ssh, "echo $XDG_SESSION_ID");
    stage.alice(&mut ssh, "env | grep -E '^(XDG_|DBUS_)' | sort");
    stage.alice(&mut ssh, "cat /proc/self/cgroup | grep ^0");
    machine.wait_for("one session of alice", || stage.sessions() == 1);
    stage.root("usherctl list-sessions");
    stage.root(&format!("usherctl --no-pager session-status {id}"));

    stage.say("Her runtime directory is a file system of its own, hers alone.");
    let mount = machine.mounted(RUNTIME_DIRECTORY);
    stage.check(
        "a tmpfs on /run/user/1001 with her as owner",
        mount.is_some_and(|m| m.fs_type == "tmpfs" && m.has("uid=1001")),
    );
    stage.root("findmnt /run/user/1001");

    stage.say(
        "Her user manager is an unmodified `systemd --user`. It runs a unit from ~/.config/systemd/user.",
    );
    machine.wait_for("the user manager", || {
        machine.cgroup_procs(&format!("{MANAGER}/init.scope")).is_some_and(|pids| !pids.is_empty())
    });
    stage.alice(&mut ssh, "systemctl --user start hello.service");
    let hello = format!("{MANAGER}/app.slice/hello.service");
    machine.wait_for("hello.service", || machine.cgroup_procs(&hello).is_some_and(|pids| !pids.is_empty()));
    stage.alice(&mut ssh, "systemctl --user --no-pager status hello.service");

    stage
        .say("She logs in a second time, on a terminal through login(1): another session, the same manager.");
    let manager = stage.manager();
    let mut login = stage.login("login alice", |machine| machine.login("alice"));
    machine.wait_for("two sessions of alice", || stage.sessions() == 2);
    stage.check("the manager is the same as before", stage.manager() == manager);
    stage.root("usherctl list-sessions");
    stage.root("pgrep -a -x -u alice systemd");

    stage.say("su inside a session opens no second one.");
    let su = "sudo su - bob -c 'id -un; grep ^0 /proc/self/cgroup'";
    let answer = stage.alice(&mut login, su);
    stage.check(
        "bob's shell is in alice's session",
        answer.starts_with("bob\n") && answer.contains("user-1001.slice/session-"),
    );
    stage.check("there are still two sessions", stage.sessions() == 2);

    stage.say("Linger: with it, her manager and services stay when she has gone.");
    stage.root("usherctl enable-linger alice");
    stage.logout(login);
    stage.logout(ssh);
    machine.wait_for("both sessions to end", || stage.sessions() == 0);
    machine.wait_for("alice to linger", || {
        stage.quiet("usherctl show-user alice -p State --value") == "lingering"
    });
    stage.root("usherctl list-users");
    stage
        .check("hello.service still runs", machine.cgroup_procs(&hello).is_some_and(|pids| !pids.is_empty()));
    stage.check("the manager is the same as before", stage.manager() == manager);
    stage.root("usherctl --no-pager user-status alice");

    stage.say("Without it everything goes: unit, manager, runtime directory, cgroups.");
    stage.root("usherctl disable-linger alice");
    machine.wait_for("alice's cgroups to go", || machine.cgroup_procs(ALICE).is_none());
    machine.wait_for("the runtime directory to go", || !machine.exists(RUNTIME_DIRECTORY));
    machine.wait_for("usherd to forget alice", || !machine.exists("/run/systemd/users/1001"));
    stage.check("nothing is mounted on /run/user/1001", machine.mounted(RUNTIME_DIRECTORY).is_none());
    stage.root("usherctl list-sessions");
    stage.root("usherctl list-users");
    stage.root("ls -A /run/user /run/systemd/sessions /run/systemd/users");
    stage.check("no process of alice is left", !machine.try_run(&["pgrep", "-u", "alice"]).ok());
    println!("That was it. The machine is taken down now; your computer is as it was.");
}

/// Where the demo speaks from.
struct Stage<'m> {
    machine: &'m Machine,
}

impl<'m> Stage<'m> {
    fn say(&self, sentence: &str) {
        println!("== {sentence}\n");
    }

    /// Root types a command.
    fn root(&self, command: &str) {
        let output = self.machine.sh(&format!("{command} 2>&1"));
        print("#", command, &output.stdout);
    }

    /// alice types a command in a shell of hers.
    fn alice(&self, shell: &mut Shell<'m>, command: &str) -> String {
        let text = shell.ask(command);
        print("alice$", command, &text);
        text
    }

    fn login(&self, command: &str, login: impl FnOnce(&'m Machine) -> Shell<'m>) -> Shell<'m> {
        print("#", command, "");
        login(self.machine)
    }

    fn logout(&self, shell: Shell<'m>) {
        print("alice$", "exit", "");
        shell.close();
    }

    fn check(&self, what: &str, so: bool) {
        self.machine.wait_within(std::time::Duration::ZERO, what, || so);
    }

    /// alice's login sessions; her manager has one of its own, which is not counted.
    fn sessions(&self) -> usize {
        let sessions = self.machine.cgroup_children(ALICE);
        sessions.iter().filter(|name| name.starts_with("session-")).count()
    }

    /// Process number of alice's `systemd --user`.
    fn manager(&self) -> String {
        self.quiet("pgrep -x -u alice systemd")
    }

    fn quiet(&self, command: &str) -> String {
        self.machine.try_run(&["sh", "-c", command]).text().to_owned()
    }
}

/// A command and what it wrote, set off from the sentences around it.
fn print(prompt: &str, command: &str, output: &str) {
    println!("{prompt} {command}");
    for line in output.trim_end().lines() {
        println!("  {line}");
    }
    println!();
}
