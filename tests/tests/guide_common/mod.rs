//! What the tests that walk through the guide have in common: a machine whose PID 1 is not systemd, and its users' managers.

// Each test program uses its own part of this.
#![allow(dead_code)]

use usher_tests::{Builder, Machine, Person, Shell};

/// Users go at once with their last session.
pub(crate) const CONFIG: &str = "[Login]\nUserStopDelaySec=0\n";

/// The machine of the guide.
pub(crate) fn guide() -> Builder {
    Machine::builder().config(CONFIG)
}

/// Logs in as the guide's reader does, and has the manager's first jobs done.
pub(crate) fn log_in<'m>(machine: &'m Machine, user: &str) -> Shell<'m> {
    let mut shell = machine.ssh_session(user);
    settled(machine, &mut shell);
    shell
}

/// Waits until the manager has nothing more to do.
pub(crate) fn settled(machine: &Machine, shell: &mut Shell<'_>) {
    machine.wait_for("the user manager's jobs to be done", || {
        let state = shell.try_ask("systemctl --user show --property=SystemState --value").1;
        state == "running" || state == "degraded"
    });
}

/// Waits until a unit is `active`, `inactive`, `failed`.
pub(crate) fn wait_unit(machine: &Machine, shell: &mut Shell<'_>, unit: &str, state: &str) {
    machine.wait_for(&format!("{unit} to be {state}"), || {
        shell.try_ask(&format!("systemctl --user is-active {unit}")).1 == state
    });
}

/// Asks the manager from outside of every session, as the user.
pub(crate) fn ask_manager(machine: &Machine, person: &Person, words: &[&str]) -> String {
    let runtime_dir = format!("XDG_RUNTIME_DIR={}", person.runtime_dir());
    let command = [&["env", &runtime_dir][..], words].concat();
    machine.try_as_user(person.name, &command).stdout.trim().to_owned()
}

/// Waits until a user lingers and the manager is ready; its process.
pub(crate) fn wait_lingering(machine: &Machine, person: &Person) -> i32 {
    let file = format!("users/{}", person.uid);
    machine.wait_for("the user to linger", || machine.state_of(&file, "STATE") == "lingering");
    machine.wait_for("the manager to be ready", || machine.state_of(&file, "USHER_MANAGER_READY") == "1");
    machine.wait_some("the manager's process", || machine.manager(person))
}

/// Waits until a file has this text, white space around it aside.
pub(crate) fn wait_text(machine: &Machine, path: &str, text: &str) {
    machine.wait_for(&format!("{path} to say {text:?}"), || machine.read(path).trim() == text);
}

/// Waits for usherd on the system bus.
pub(crate) fn wait_on_bus(machine: &Machine) {
    for name in ["org.freedesktop.login1", "org.freedesktop.systemd1"] {
        machine.wait_for("usherd on the bus", || machine.try_run(&["busctl", "status", name]).ok());
    }
}
