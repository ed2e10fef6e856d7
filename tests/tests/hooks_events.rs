//! Hooks: what they are told, in which order, and that nobody waits for them.

use std::time::{Duration, Instant};

use usher_tests::{ALICE, BOB, Machine};

/// Writes down what it is told, and says a word.
const RECORDER: &str = "#!/bin/sh\nread -r nothing && exit 9\n{ env | grep -E '^(USHER_|XDG_|PATH=)' | sort; echo --; } \
    >> /run/told.$USHER_UID\necho \"heard of $USHER_EVENT\"\n";

/// A display manager on a seat without virtual terminals, and remote logins.
fn machine(files: &[(&str, &str, u32)], config: &str) -> Machine {
    let mut builder = Machine::builder()
        .config(&format!("[Login]\nUserStopDelaySec=0\nManager=none\n{config}\n"))
        .file("/etc/seat", "XDG_SEAT=seat0\nXDG_SESSION_TYPE=wayland\n", 0o644, 0)
        .pam_line("lightdm", "session required pam_env.so readenv=1 envfile=/etc/seat")
        .pam_line("lightdm", "session optional pam_usher.so");
    for (path, text, mode) in files {
        builder = builder.file(*path, text, *mode, 0);
    }
    let machine = builder.boot();
    machine.sh("! [ -e /dev/tty0 ] || { umount /dev/tty0 && rm /dev/tty0; }");
    machine
}

/// The values of one variable, event by event; a dash where it is not set.
fn told(machine: &Machine, uid: u32, name: &str) -> Vec<String> {
    let text = machine.read(format!("/run/told.{uid}"));
    let events = text.split_terminator("--\n");
    let value = |event: &str| {
        let found = event.lines().find_map(|line| line.strip_prefix(&format!("{name}=")));
        found.unwrap_or("-").to_owned()
    };
    events.map(value).collect()
}

fn wait_told(machine: &Machine, uid: u32, events: &[&str]) {
    machine.wait_for(&format!("hooks to be told of {events:?}"), || {
        told(machine, uid, "USHER_EVENT").len() >= events.len()
    });
    assert_eq!(told(machine, uid, "USHER_EVENT"), events, "{}", machine.dump());
}

#[test]
fn hooks_hear_of_everything_in_order_and_of_nothing_else() {
    let machine = machine(&[("/etc/usher/hooks.d/50-record", RECORDER, 0o755)], "");
    let usherd = machine.start_usherd();
    let mut first = machine.pam_login_by("lightdm", "alice");
    let session = first.session();
    let came = ["user-came", "session-opened", "session-active"];
    wait_told(&machine, ALICE.uid, &came);
    // bob is in front now.
    let mut second = machine.pam_login_by("lightdm", "bob");
    second.session();
    wait_told(&machine, BOB.uid, &came);
    wait_told(&machine, ALICE.uid, &[&came[..], &["session-inactive"]].concat());
    machine.run(&["usherctl", "activate", &session]);
    wait_told(&machine, BOB.uid, &[&came[..], &["session-inactive"]].concat());
    first.log_out();
    second.log_out();
    let gone = ["session-inactive", "session-active", "session-inactive", "session-closed", "user-gone"];
    wait_told(&machine, ALICE.uid, &[&came[..], &gone[..]].concat());
    wait_told(&machine, BOB.uid, &[&came[..], &["session-inactive", "session-closed", "user-gone"]].concat());

    let of_session = |value: &'static str| {
        let mut expected = vec![value; 8];
        (expected[0], expected[7]) = ("-", "-");
        expected
    };
    for (name, value) in [
        ("USHER_SESSION", session.clone().leak() as &str),
        ("USHER_SEAT", "seat0"),
        ("USHER_CLASS", "user"),
        ("USHER_TYPE", "wayland"),
        ("USHER_SERVICE", "lightdm"),
        ("USHER_REMOTE", "0"),
        ("USHER_VTNR", "-"),
    ] {
        assert_eq!(told(&machine, ALICE.uid, name), of_session(value), "{name}");
    }
    for (name, value) in [
        ("USHER_UID", "1001"),
        ("USHER_USER", "alice"),
        ("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"),
    ] {
        assert_eq!(told(&machine, ALICE.uid, name), vec![value; 8], "{name}");
    }
    let dirs = told(&machine, ALICE.uid, "XDG_RUNTIME_DIR");
    assert_eq!(dirs[2], "/run/user/1001");
    assert_eq!(dirs[7], "-", "the directory is gone with the user");
    let log = usherd.log();
    assert!(log.contains("50-record, session-opened of session"), "{log}");
    assert!(log.contains("heard of session-opened"), "{log}");
}

#[test]
fn hooks_run_by_name_and_those_of_etc_replace_others() {
    let say = |word: &str| format!("#!/bin/sh\necho {word} >> /run/said\n");
    let (a, b, masked, off, bad, last) =
        (say("a"), say("b"), say("masked"), say("off"), say("bad"), say("$USHER_EVENT"));
    let machine = machine(
        &[
            ("/usr/lib/usher/hooks.d/10-a", &bad, 0o755),
            ("/etc/usher/hooks.d/10-a", &a, 0o755),
            ("/usr/lib/usher/hooks.d/20-b", &b, 0o755),
            ("/usr/lib/usher/hooks.d/30-masked", &masked, 0o755),
            ("/etc/usher/hooks.d/40-off", &off, 0o644),
            ("/etc/usher/hooks.d/50-open", &bad, 0o777),
            ("/etc/usher/hooks.d/60-fails", "#!/bin/sh\nexit 3\n", 0o755),
            ("/etc/usher/hooks.d/70-odd", "no program\n", 0o755),
            ("/etc/usher/hooks.d/90-last", &last, 0o755),
        ],
        "",
    );
    machine.sh("ln -s /dev/null /etc/usher/hooks.d/30-masked");
    let usherd = machine.start_usherd();
    let mut login = machine.pam_login("alice");
    login.session();
    machine.wait_for("both events", || machine.read("/run/said").lines().count() >= 6);
    assert_eq!(machine.read("/run/said"), "a\nb\nuser-came\na\nb\nsession-opened\n");
    let log = usherd.log();
    let lines = |word: &str| log.lines().filter(|line| line.contains(word)).count();
    assert_eq!(lines("50-open is not run: others than root may write"), 1, "once for both events: {log}");
    assert_eq!(lines("60-fails has failed"), 2, "{log}");
    assert_eq!(lines("70-odd cannot be run"), 2, "{log}");
    // One that is put there while usherd runs counts at once.
    machine.sh("printf '#!/bin/sh\\necho new >> /run/said\\n' > /etc/usher/hooks.d/95-new
        chmod 755 /etc/usher/hooks.d/95-new");
    login.log_out();
    machine.wait_for("the new one", || machine.read("/run/said").ends_with("user-gone\nnew\n"));
}

#[test]
fn nobody_waits_for_a_hook_that_hangs_and_it_is_killed() {
    let hangs = "#!/bin/sh\necho $$ >> /run/hanging\nsleep 1000 &\necho $! >> /run/hanging\nwait\n";
    let machine = machine(
        &[
            ("/etc/usher/hooks.d/10-hangs", hangs, 0o755),
            ("/etc/usher/hooks.d/20-after", "#!/bin/sh\necho $USHER_EVENT >> /run/after\n", 0o755),
        ],
        "HookTimeoutSec=1500ms",
    );
    let usherd = machine.start_usherd();
    let begun = Instant::now();
    let mut login = machine.pam_login("alice");
    login.session();
    let took = login.entered().took + login.close();
    assert!(took < Duration::from_millis(1500), "a login and a logout took {took:?}");
    assert!(begun.elapsed() < Duration::from_secs(6), "{:?}", begun.elapsed());
    drop(login);
    machine.wait_for("the others", || machine.read("/run/after").ends_with("user-gone\n"));
    assert_eq!(machine.read("/run/after"), "user-came\nsession-opened\nsession-closed\nuser-gone\n");
    let log = usherd.log();
    assert_eq!(log.matches("has not ended within 1500 ms (HookTimeoutSec=)").count(), 4, "{log}");
    let pids: Vec<_> = machine.read("/run/hanging").lines().map(str::to_owned).collect();
    assert_eq!(pids.len(), 8);
    for pid in pids {
        machine.wait_for("what hung to be gone", || !machine.exists(format!("/proc/{pid}")));
    }
}

#[test]
fn what_is_too_much_is_dropped_and_said() {
    let slow = "#!/bin/sh\nwhile ! [ -e /run/go ]; do sleep 0.05; done\necho $USHER_EVENT >> /run/said\n";
    let machine = machine(&[("/etc/usher/hooks.d/10-slow", slow, 0o755)], "HookTimeoutSec=60s");
    let usherd = machine.start_usherd();
    let mut stays = machine.pam_login("alice");
    stays.session();
    for _ in 0..40 {
        machine.pam_login("alice").log_out();
    }
    machine.wait_for("word of what is dropped", || usherd.log().contains("hooks are too slow"));
    let mut bob = machine.pam_login("bob");
    bob.session();
    machine.sh("touch /run/go");
    // One was being worked on when 64 others waited.
    machine.wait_for("what there was room for", || machine.read("/run/said").lines().count() >= 65 + 2);
    let log = usherd.log();
    let dropped = log.lines().filter(|line| line.contains("is dropped"));
    assert_eq!(dropped.filter(|line| line.contains("of bob")).count(), 0, "bob's are not dropped: {log}");
    assert_eq!(machine.read("/run/said").matches("user-came").count(), 2);
}

#[test]
fn a_restart_does_not_forget_whose_session_it_was() {
    let machine = machine(&[("/etc/usher/hooks.d/50-record", RECORDER, 0o755)], "");
    let mut usherd = machine.start_usherd();
    let mut login = machine.pam_login_by("lightdm", "alice");
    let session = login.session();
    wait_told(&machine, ALICE.uid, &["user-came", "session-opened", "session-active"]);
    usherd.kill9();
    let _usherd = machine.start_usherd();
    login.log_out();
    let all =
        ["user-came", "session-opened", "session-active", "session-inactive", "session-closed", "user-gone"];
    wait_told(&machine, ALICE.uid, &all);
    assert_eq!(told(&machine, ALICE.uid, "USHER_SESSION")[4], session);
    assert_eq!(told(&machine, ALICE.uid, "USHER_SERVICE")[4], "lightdm");
}
