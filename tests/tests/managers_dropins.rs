//! Drop-ins of user@.service and user-.slice, as an administrator has them for systemd, under the real `systemd --user`.

mod faults_common;

use std::time::{Duration, Instant};

use faults_common::*;
use usher_tests::{Builder, Machine};

const CONFIG: &str = "[Login]\nUserStopDelaySec=0\n";
const ETC: &str = "/etc/systemd/system";

fn with(drop_ins: &[(&str, &str)]) -> Builder {
    drop_ins.iter().fold(Machine::builder().config(CONFIG), |builder, (path, text)| {
        let path = if path.starts_with('/') { (*path).to_owned() } else { format!("{ETC}/{path}") };
        builder.file(path, text, 0o644, 0)
    })
}

fn environment(machine: &Machine, pid: i32) -> Vec<String> {
    machine.read(format!("/proc/{pid}/environ")).split('\0').map(str::to_owned).collect()
}

fn limit(machine: &Machine, pid: i32, name: &str) -> (String, String) {
    let limits = machine.read(format!("/proc/{pid}/limits"));
    let line = limits.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
    let mut fields = line.split_whitespace().map(str::to_owned);
    (fields.next().unwrap_or_default(), fields.next().unwrap_or_default())
}

#[test]
fn everything_that_is_heeded_reaches_the_manager_and_its_services() {
    let machine = with(&[
        (
            "user@.service.d/10-a.conf",
            "[Service]\nEnvironment=GREETING='hello world' WHO=%u-%U NUMBER=1\nEnvironmentFile=/etc/users.env\n\
             EnvironmentFile=-/etc/no-such.env\nUnsetEnvironment=GONE\nEnvironment=GONE=x\nLimitNOFILE=2000:3000\n\
             LimitCORE=0\nNice=5\nOOMScoreAdjust=321\nUMask=0077\n",
        ),
        ("user@1001.service.d/20-b.conf", "[Service]\nEnvironment=NUMBER=2 OWN=1\n"),
        ("user@1002.service.d/20-b.conf", "[Service]\nEnvironment=NUMBER=3\n"),
        ("/run/systemd/system/user@.service.d/10-a.conf", "[Service]\nEnvironment=HIDDEN=1\n"),
        ("/usr/lib/systemd/system/user@.service.d/05-x.conf", "[Service]\nEnvironment=NUMBER=0 SHIPPED=1\n"),
        ("/etc/users.env", "# a comment\nFROM_FILE=\"from a file\"\nWHO=file\n"),
    ])
    .boot();
    let broker = machine.start_usherd();
    let mut shell = machine.ssh_session("alice");
    let manager = machine.wait_some("the manager", || ready_manager(&machine));
    let variables = environment(&machine, manager);
    for expected in [
        "GREETING=hello world",
        "WHO=file",
        "NUMBER=2",
        "OWN=1",
        "SHIPPED=1",
        "FROM_FILE=from a file",
        "HOME=/home/alice",
    ] {
        assert!(variables.iter().any(|variable| variable == expected), "no {expected} in {variables:?}");
    }
    for name in ["GONE=", "HIDDEN=", "SSH_", "MAINPID="] {
        assert!(!variables.iter().any(|variable| variable.starts_with(name)), "{name} in {variables:?}");
    }
    let seen = shell.ask("systemctl --user show-environment");
    assert!(seen.contains("GREETING=$'hello world'") || seen.contains("GREETING=hello world"), "{seen}");
    assert!(!seen.contains("GONE=") && !seen.contains("SSH_CONNECTION"), "{seen}");

    // systemd raises its own soft limit to the hard one, and gives services a soft one of its own.
    assert_eq!(limit(&machine, manager, "Max open files"), ("3000".into(), "3000".into()));
    assert_eq!(limit(&machine, manager, "Max core file size"), ("0".into(), "0".into()));
    assert_eq!(machine.read(format!("/proc/{manager}/oom_score_adj")).trim(), "321");
    assert_eq!(machine.run(&["ps", "-o", "ni=", "-p", &manager.to_string()]).text().trim(), "5");
    let status = machine.read(format!("/proc/{manager}/status"));
    assert!(status.contains("Umask:\t0077"), "{status}");
    // A service has the limits from the manager.
    let service = shell.ask("systemd-run --user --quiet --pipe --wait sh -c 'ulimit -Hn; echo $NUMBER'");
    assert_eq!(service.split_whitespace().collect::<Vec<_>>(), ["3000", "2"]);

    let bob = Login::of(&machine, "bob");
    let pid: i32 = machine.wait_some("bob's manager", || {
        key(&machine, &user_file(1002), "USHER_MANAGER_READY").filter(|ready| ready == "1")?;
        key(&machine, &user_file(1002), "USHER_MANAGER_PID")?.parse().ok()
    });
    let variables = environment(&machine, pid);
    assert!(variables.contains(&"NUMBER=3".to_owned()) && !variables.contains(&"OWN=1".to_owned()));
    bob.log_out();
    shell.close();
    wait_nothing_left(&machine);
    // Of what comes with systemd's package nobody is warned.
    let log = broker.log();
    assert!(!log.lines().any(|line| line.contains("WARN") && line.contains("does not heed")), "{log}");
}

#[test]
fn what_is_not_heeded_is_named_once() {
    let machine = with(&[(
        "user@.service.d/a.conf",
        "[Unit]\nAfter=foo.service\n[Service]\nProtectSystem=yes\nNice=many\nCPUQuota=10%\n",
    )])
    .boot();
    let broker = machine.start_usherd();
    for _ in 0..2 {
        let login = Login::of(&machine, "alice");
        machine.wait_for("the manager", || ready_manager(&machine).is_some());
        login.log_out();
        wait_nothing_left(&machine);
    }
    let log = broker.log();
    let told: Vec<_> = log.lines().filter(|line| line.contains("WARN") && line.contains("a.conf")).collect();
    assert_eq!(told.len(), 2, "{log}");
    assert!(told.iter().any(|line| line.contains("a.conf:5: Nice: 'many' is refused")), "{told:?}");
    let unheeded =
        told.iter().find(|line| line.contains("does not heed")).unwrap_or_else(|| panic!("{told:?}"));
    for name in ["After=", "ProtectSystem=", "CPUQuota="] {
        assert!(unheeded.contains(name), "{unheeded}");
    }
}

#[test]
fn a_file_of_variables_that_is_missing_is_the_reason() {
    let machine = with(&[("user@.service.d/a.conf", "[Service]\nEnvironmentFile=/etc/no-such.env\n")]).boot();
    let broker = machine.start_usherd();
    let login = logs_in(&machine, Duration::from_secs(5), &["user manager"]);
    machine.wait_for("the manager to be given up", || {
        machine.run(&["usherctl", "user-status", "alice"]).stdout.contains("exit status 202")
    });
    // What a manager says, and that it has ended, are heard of in any order.
    machine.wait_for("the reason in the log", || {
        broker.log().contains("cannot read EnvironmentFile /etc/no-such.env")
    });
    login.log_out();
    wait_nothing_left(&machine);
}

#[test]
fn time_outs_are_the_users_own() {
    let machine = with(&[
        ("user@1001.service.d/a.conf", "[Service]\nTimeoutStartSec=1\nTimeoutStopSec=1500ms\n"),
    ])
    .file(
        "/usr/local/bin/stubborn",
        "#!/usr/bin/python3\nimport os, signal, socket, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n\
         if not os.path.exists('/tmp/late'):\n    socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto(b'READY=1', os.environ['NOTIFY_SOCKET'])\n\
         while True: time.sleep(1000)\n",
        0o755,
        0,
    )
    .config("[Login]\nUserStopDelaySec=0\nManager=/usr/local/bin/stubborn\nManagerReadyWaitSec=500ms\n")
    .boot();
    let mut broker = machine.start_usherd();
    for restarted in [false, true] {
        let login = Login::of(&machine, "alice");
        machine.wait_for("the manager", || ready_manager(&machine).is_some());
        if restarted {
            broker.kill9();
            broker.start();
        }
        let start = Instant::now();
        login.log_out();
        wait_nothing_left(&machine);
        let took = start.elapsed();
        assert!(took >= Duration::from_millis(1500) && took < Duration::from_secs(10), "{took:?}");
        assert!(broker.log().contains("has not stopped within 1500 ms"), "{}", broker.log());
    }
    machine.sh("touch /tmp/late");
    let login = Login::of(&machine, "alice");
    machine.wait_for("the time to become ready to be over", || {
        machine.run(&["usherctl", "user-status", "alice"]).stdout.contains("it was not ready within 1 s")
    });
    login.log_out();
    wait_nothing_left(&machine);
}

/// Where the machine has the controllers; else nothing happens, and nobody is kept out.
#[test]
fn slices_have_limits() {
    let machine = with(&[
        (
            "user-.slice.d/a.conf",
            "[Slice]\nTasksMax=1000\nMemoryMax=1G\nMemoryHigh=50%\nCPUWeight=50\nIOWeight=20\n",
        ),
        ("user-1001.slice.d/b.conf", "[Slice]\nTasksMax=900\n"),
        ("user@1001.service.d/c.conf", "[Service]\nTasksMax=800\n"),
    ])
    .boot();
    let broker = machine.start_usherd();
    let login = Login::of(&machine, "alice");
    machine.wait_for("the manager", || ready_manager(&machine).is_some());
    let slice = machine.host_cgroup().join("user.slice/user-1001.slice");
    let expected = [
        ("pids.max", "900"),
        ("memory.max", "1073741824"),
        ("cpu.weight", "50"),
        ("io.weight", "default 20"),
        ("user@1001.service/pids.max", "800"),
    ];
    for (name, value) in expected {
        match std::fs::read_to_string(slice.join(name)) {
            Ok(text) => assert_eq!(text.lines().next(), Some(value), "{name}"),
            Err(_) => {
                let name = name.rsplit('/').next().unwrap_or(name);
                assert!(
                    broker
                        .log()
                        .contains(&format!("no controller for a setting of a drop-in file=\"{name}\""))
                );
            }
        }
    }
    assert!(!broker.log().contains("is not in force"), "{}", broker.log());
    login.log_out();
    wait_nothing_left(&machine);
}
