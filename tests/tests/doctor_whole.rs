//! usherctl doctor on a machine where everything is there, and what others than root see of that.

mod doctor_common;

use doctor_common::*;
use usher_tests::Machine;

#[test]
fn a_machine_that_is_set_up_right() {
    let machine = Machine::builder().config("[Login]\nUserStopDelaySec=0\n").boot();
    let _bus = machine.start_dbus();
    let _polkitd = machine.start_polkitd();
    let usherd = machine.start_usherd();
    machine.run(&["usherctl", "enable-linger", "bob"]);
    let mut shell = machine.ssh_session("alice");
    let ready = |user| machine.run(&["usherctl", "show-user", user, "-P", "Manager"]).text() == "ready";
    machine.wait_for("the managers", || ready("alice") && ready("bob"));
    machine.wait_for("usherd on the bus", || {
        machine.try_run(&["busctl", "status", "org.freedesktop.systemd1"]).ok()
    });

    let diagnosis = healthy(&machine);
    diagnosis.has("daemon.answer", "ok", &[&format!("usherd (process {}) answers; started", usherd.pid())]);
    diagnosis.has("daemon.configuration", "ok", &["/etc/usher/usher.conf"]);
    for check in [
        "daemon.socket",
        "daemon.root-socket",
        "daemon.version",
        "brokers.running",
        "pam.module",
        "bus.socket",
        "bus.login1",
        "bus.systemd1",
        "bus.policy",
        "bus.activation",
        "polkit.daemon",
        "polkit.actions",
        "cgroups.mount",
        "cgroups.usherd",
        "managers.launcher",
        "managers.running",
        "runtime.parent",
    ] {
        diagnosis.has(check, "ok", &[]);
    }
    diagnosis.has("pam.logins", "ok", &["sshd", "login", "/etc/pam.d/common-session:"]);
    diagnosis.has("managers.chosen", "ok", &["systemd (Manager=)", "is installed"]);
    diagnosis.has("runtime.directory", "ok", &["/run/user/1001 is alice's, a tmpfs"]);
    diagnosis.has("runtime.directory", "ok", &["/run/user/1002 is bob's, a tmpfs"]);
    diagnosis.has("linger.manager", "ok", &["bob lingers, and the manager is ready"]);
    // The harness's own.
    diagnosis.has("init.program", "note", &["PID 1 is usher-sandbox"]);

    // From inside a session, without privileges: nothing is wrong, and not everything is seen.
    let (code, text) = shell.try_ask("usherctl doctor");
    assert_eq!(code, 2, "{text}");
    for words in ["usherd tells only root", "-> run usherctl doctor as root", "This process is in session"] {
        assert!(text.contains(words), "{words}: {text}");
    }
    for words in ["warning", "problem"] {
        assert!(!text.contains(words), "{words}: {text}");
    }
    assert!(!text.contains('\u{1b}'), "dumb terminals have no colours: {text}");
    let diagnosis = doctor_as(&machine, "alice");
    assert_eq!(diagnosis.code, 2, "{diagnosis:#?}");
    diagnosis.has("daemon.answer", "ok", &["usherd (process"]);
    diagnosis.has("runtime.directory", "ok", &["/run/user/1002 is bob's"]);
    diagnosis.has("bus.login1", "skipped", &["run usherctl doctor as root"]);
    diagnosis.has("caller.session", "note", &["in no session"]);
    shell.close();

    // On a terminal that can, marks are coloured, unless one does not want that.
    let on_terminal =
        |set: &str| machine.sh(&format!("{set} script -qec 'usherctl doctor' /dev/null")).stdout;
    assert!(on_terminal("TERM=xterm").contains("\u{1b}[32mok\u{1b}[0m      No other session broker runs."));
    assert!(!on_terminal("TERM=xterm NO_COLOR=1").contains('\u{1b}'));
}

#[test]
fn what_usherd_tells_of_itself_it_tells_root() {
    let machine = Machine::builder().config(QUICK).boot();
    let usherd = machine.start_usherd();
    let ask = ["usher-varlink", "unix:/run/usher/broker", "io.usher.Broker.GetStatus", "{}"];
    let told = machine.run(&ask).stdout;
    assert!(told.contains(&format!("\"pid\":{},", usherd.pid())), "{told}");
    let refused = machine.try_as_user("alice", &ask);
    let said = format!("{}{}", refused.stdout, refused.stderr);
    assert!(said.contains("AccessDenied") && !said.contains("pid"), "{refused}");
}
