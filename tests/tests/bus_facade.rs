//! The bus is a facade: it may be there before usherd, come after it, or never; it may die and come back with sessions open.

use usher_tests::Machine;

fn machine() -> Machine {
    Machine::builder().config("[Login]\nUserStopDelaySec=0\nManager=none\n").boot()
}

/// What a client sees of the sessions.
fn sessions(machine: &Machine) -> String {
    let call = [
        "busctl",
        "call",
        "org.freedesktop.login1",
        "/org/freedesktop/login1",
        "org.freedesktop.login1.Manager",
    ];
    let words: Vec<_> = call.into_iter().chain(["ListSessions"]).collect();
    let output = machine.try_run(&words);
    format!("{}{}", output.stdout, output.stderr)
}

#[test]
fn a_bus_that_was_there_before() {
    let machine = machine();
    let _bus = machine.start_dbus();
    let _usherd = machine.start_usherd();
    assert_eq!(sessions(&machine), "a(susso) 0\n");
    let _shell = machine.ssh_session("alice");
    println!("{}", sessions(&machine));
    machine.wait_for("alice on the bus", || sessions(&machine).contains("\"alice\""));
}
