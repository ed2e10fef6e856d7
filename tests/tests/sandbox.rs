//! The machine itself, without any part of usher: is it one, is it alone, does it leave nothing behind?

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use usher_tests::Machine;

fn bare() -> Machine {
    Machine::builder().bare().boot()
}

/// Names in a directory of the host.
fn names(directory: &str) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn the_host_sees_nothing_of_what_happens_inside() {
    let before = fs::read_to_string("/etc/passwd").unwrap();
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
    let machine = bare();
    machine.sh("echo mallory >> /etc/passwd; mkdir -p /run/user/1001 /var/lib/usher-was-here; touch /usr/bin/usher-was-here");
    machine.run(&["mount", "-t", "tmpfs", "tmpfs", "/run/user/1001"]);
    assert!(machine.mounted("/run/user/1001").is_some());
    assert!(machine.read("/etc/passwd").contains("mallory"));
    assert_eq!(fs::read_to_string("/etc/passwd").unwrap(), before);
    assert_eq!(fs::read_to_string("/proc/self/mountinfo").unwrap(), mounts);
    for path in ["/var/lib/usher-was-here", "/usr/bin/usher-was-here", "/run/sandbox"] {
        assert!(!Path::new(path).exists(), "{path} is on the host");
    }
}

#[test]
fn the_rest_of_the_host_is_read_only() {
    let machine = bare();
    assert!(!machine.try_run(&["touch", "/opt/usher-was-here"]).ok());
    assert!(machine.mounted("/sys").unwrap().has("ro"));
}

#[test]
fn nothing_of_the_host_shows_in_the_mount_table() {
    let machine = bare();
    for mount in machine.mounts() {
        let kernel = ["/", "/dev", "/etc", "/home", "/proc", "/root", "/run", "/sys", "/tmp", "/usr", "/var"];
        let known = kernel.iter().any(|known| {
            mount.mount_point == *known
                || (*known != "/" && mount.mount_point.starts_with(&format!("{known}/")))
        });
        assert!(known, "{mount:?}");
        assert!(mount.propagation.is_empty(), "{mount:?}");
    }
}

#[test]
fn pid_1_is_ours_and_not_systemd() {
    let machine = bare();
    assert_eq!(machine.run(&["cat", "/proc/1/comm"]).text(), "usher-sandbox");
    assert_eq!(
        machine.run(&["readlink", "/proc/1/ns/pid"]).text(),
        machine.run(&["readlink", "/proc/self/ns/pid"]).text()
    );
    assert!(!machine.exists("/run/systemd"));
    assert_eq!(machine.run(&["hostname"]).text(), "usher-sandbox");
    assert_eq!(machine.run(&["sh", "-c", "ls /proc | grep -c '^[0-9]'"]).code, 0);
    let processes = machine.run(&["ps", "-e", "-o", "pid="]);
    assert!(processes.stdout.lines().count() <= 2, "the host's processes show: {processes}");
}

#[test]
fn orphans_are_reaped() {
    let machine = bare();
    let pid = machine.sh("(sleep 0.01 & echo $!)");
    machine.wait_for("the orphan to be reaped", || !machine.exists(format!("/proc/{}", pid.text())));
}

#[test]
fn the_cgroup_tree_is_the_machines_own() {
    let machine = bare();
    assert_eq!(machine.mounted("/sys/fs/cgroup").unwrap().fs_type, "cgroup2");
    assert_eq!(machine.run(&["findmnt", "-no", "FSROOT", "/sys/fs/cgroup"]).text(), "/");
    for process in ["1", "self"] {
        let cgroups = machine.run(&["cat", &format!("/proc/{process}/cgroup")]);
        assert!(cgroups.stdout.lines().any(|line| line == "0::/init.scope"), "{cgroups}");
    }
    assert_eq!(machine.cgroup_procs("/"), Some(vec![]));
    assert_eq!(machine.cgroup_procs("/init.scope"), Some(vec![1]));
    assert_eq!(machine.cgroup_procs("/user.slice"), None);
    machine.sh("mkdir /sys/fs/cgroup/user.slice; echo $$ > /sys/fs/cgroup/user.slice/cgroup.procs; cat /proc/self/cgroup | grep -x 0::/user.slice");
    assert_eq!(machine.cgroup_children("/"), ["init.scope", "user.slice"]);
}

#[test]
fn a_read_only_cgroup_tree() {
    let machine = Machine::builder().bare().cgroup_readonly().boot();
    assert!(!machine.try_run(&["mkdir", "/sys/fs/cgroup/user.slice"]).ok());
    assert!(machine.mounted("/sys/fs/cgroup").unwrap().has("ro"));
}

#[test]
fn shared_mounts_when_asked_for() {
    let machine = Machine::builder().bare().shared_mounts().boot();
    assert!(machine.mounted("/run").unwrap().propagation[0].starts_with("shared:"));
}

#[test]
fn terminals_devices_and_the_loopback_work() {
    let machine = bare();
    machine.sh("echo x > /dev/null; head -c 8 /dev/urandom | wc -c; test -c /dev/tty; ls /dev/fd/0; test -w /dev/shm");
    assert_eq!(machine.run(&["script", "-qec", "tty", "/dev/null"]).text(), "/dev/pts/0");
    assert_eq!(machine.try_run(&["tty"]).text(), "not a tty");
    assert!(!machine.try_run(&["sh", "-c", "exec 3</dev/tty"]).ok(), "the host's terminal is reachable");
    assert!(machine.run(&["ip", "-o", "link"]).text().lines().count() == 1);
    machine.run(&["sh", "-c", "ip -o addr show lo | grep 127.0.0.1/8"]);
}

#[test]
fn files_and_services_as_ordered() {
    let machine = Machine::builder()
        .bare()
        .user("carol", 1003)
        .config("[Login]\nKillUserProcesses=yes\n")
        .user_unit("carol", "hello.service", "[Service]\nExecStart=true\n")
        .pam_line("new-service", "session required pam_permit.so")
        .boot();
    assert_eq!(machine.read("/etc/usher/usher.conf"), "[Login]\nKillUserProcesses=yes\n");
    let unit = machine.file("/home/carol/.config/systemd/user/hello.service");
    assert_eq!(fs::metadata(&unit).unwrap().uid(), 1003);
    assert_eq!(fs::metadata(unit.parent().unwrap()).unwrap().uid(), 1003);
    assert_eq!(
        machine.as_user("carol", &["sh", "-c", "id -un; id -gn; pwd; echo $HOME"]).text(),
        "carol\ncarol\n/home/carol\n/home/carol"
    );
    machine.run(&["pamtester", "new-service", "carol", "open_session"]);
}

#[test]
fn pam_has_no_other_session_broker() {
    let machine = bare();
    let found = machine.try_run(&["grep", "-rnE", r"^[^#]*pam_(systemd|elogind|usher)\.so", "/etc/pam.d"]);
    assert_eq!(found.code, 1, "{found}");
    for service in ["usher-test", "usher-bench", "permit-bench"] {
        machine.run(&[
            "pamtester",
            service,
            "alice",
            "authenticate",
            "acct_mgmt",
            "open_session",
            "close_session",
        ]);
    }
    machine.run(&["pamtester", "systemd-user", "alice", "acct_mgmt", "open_session", "close_session"]);
    machine.sh("echo usher | pamtester login alice authenticate 2>&1");
}

#[test]
fn the_syslog_is_caught() {
    let machine = bare();
    machine.run(&["logger", "-p", "auth.info", "-t", "somebody", "was here"]);
    machine.wait_for("the line", || {
        machine.syslog().lines().any(|line| line.starts_with("<38>") && line.ends_with("somebody: was here"))
    });
}

#[test]
fn sshd_lets_people_in_by_key() {
    let machine = bare();
    assert_eq!(machine.ssh("alice", "id -un; pwd").text(), "alice\n/home/alice");
    assert_eq!(machine.ssh("root", "id -u").text(), "0");
    assert_eq!(machine.try_ssh("alice", "exit 7").code, 7);
    assert!(!machine.try_ssh("nobody", "true").ok());
    assert!(machine.syslog().contains("session opened for user alice"), "{}", machine.syslog());
}

#[test]
fn shells_through_ssh_login_and_su() {
    let machine = bare();
    let mut ssh = machine.ssh_session("alice");
    assert_eq!(ssh.ask("id -un"), "alice");
    assert_eq!(ssh.ask("tty"), "/dev/pts/0");
    assert_eq!(ssh.try_ask("echo hm; false"), (1, "hm".to_owned()));
    let mut login = machine.login("bob");
    assert_eq!(login.ask("id -un; echo $HOME"), "bob\n/home/bob");
    assert!(login.ask("tty").starts_with("/dev/pts/"));
    let mut su = machine.su("alice");
    assert_eq!(su.ask("id -un"), "alice");
    assert_eq!(su.ask("sudo -n id -un"), "root");
    su.close();
    login.close();
    ssh.close();
    let alice_has_processes = || machine.try_run(&["pgrep", "-u", "alice"]).ok();
    machine.wait_for("alice's processes to end", || !alice_has_processes());
    machine.ssh_session("alice").hang_up();
    machine.wait_for("the hung up shell to end", || !alice_has_processes());
}

#[test]
fn a_real_system_bus_answers() {
    let machine = bare();
    let mut bus = machine.start_dbus();
    assert!(machine.run(&["busctl", "--no-pager", "list"]).stdout.contains("org.freedesktop.DBus"));
    assert!(
        machine.as_user("alice", &["busctl", "--no-pager", "list"]).stdout.contains("org.freedesktop.DBus")
    );
    assert_eq!(bus.terminate(), 0);
}

#[test]
fn a_real_cron_runs_jobs() {
    let machine = bare();
    machine.sh("echo '@reboot id -un > /tmp/by-cron' | crontab -u alice -");
    let _cron = machine.start_cron();
    machine.wait_for("the job", || machine.read("/tmp/by-cron") == "alice\n");
}

#[test]
fn background_processes_obey_and_end_with_their_value() {
    let machine = bare();
    let mut sleeper = machine.spawn(&["sleep", "1000"]);
    let comm = format!("/proc/{}/comm", sleeper.pid());
    machine.wait_for("the sleeper", || machine.read(&comm) == "sleep\n");
    let state = |letter: &str| {
        machine.read(format!("/proc/{}/stat", sleeper.pid())).contains(&format!(") {letter} "))
    };
    machine.wait_for("it to sleep", || state("S"));
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(sleeper.host_pid()), nix::sys::signal::Signal::SIGSTOP)
        .unwrap();
    machine.wait_for("it to stop", || state("T"));
    sleeper.kill9();
    assert!(!sleeper.is_running());
    let talker = machine.spawn_as("bob", &["sh", "-c", "id -un; exec sleep 1000"]);
    machine.wait_for("its log", || talker.log() == "bob\n");
    let process = format!("/proc/{}", talker.pid());
    drop(talker);
    machine.wait_for("it to end", || !machine.exists(&process));
}

#[test]
fn two_machines_side_by_side_know_nothing_of_each_other() {
    let (one, two) = (bare(), bare());
    one.sh("echo one > /run/here; mkdir /sys/fs/cgroup/only-one");
    assert!(!two.exists("/run/here"));
    assert!(two.cgroup_procs("/only-one").is_none());
    one.start_sshd();
    two.start_sshd();
    assert_eq!(one.ssh("alice", "cat /run/here").text(), "one");
    assert!(two.try_ssh("alice", "cat /run/here").stdout.is_empty());
    drop(one);
    assert_eq!(two.ssh("bob", "id -un").text(), "bob");
}

#[test]
fn nothing_is_left_of_a_machine() {
    let temporary = names("/tmp");
    let machine = bare();
    machine.start_sshd();
    let shell = machine.ssh_session("alice");
    machine.sh("setsid -f sleep 1000; mkdir -p /sys/fs/cgroup/a.slice/b.scope; sleep 1001 & echo $! > /sys/fs/cgroup/a.slice/b.scope/cgroup.procs");
    let (cgroup, init) = (machine.host_cgroup().to_path_buf(), machine.init_pid());
    let inside: Vec<String> = names("/proc")
        .into_iter()
        .filter(|pid| machine_of(pid).is_some_and(|of| Some(of) == machine_of(&init.to_string())))
        .collect();
    assert!(inside.len() >= 4, "{inside:?}");
    shell.hang_up();
    drop(machine);
    assert!(!cgroup.exists());
    for pid in inside {
        assert!(!Path::new("/proc").join(&pid).exists(), "process {pid} is left");
    }
    let ours = |name: &&String| !temporary.contains(name) && name.contains("usher");
    assert_eq!(names("/tmp").iter().find(ours), None);
}

/// The pid namespace of a process, if it is one and still there.
fn machine_of(pid: &str) -> Option<u64> {
    pid.parse::<u32>().ok()?;
    Some(fs::metadata(format!("/proc/{pid}/ns/pid")).ok()?.ino())
}

/// Not a test by itself: the next one runs it as another process, and kills that.
#[test]
#[ignore = "runs for ever; started by another test"]
fn a_machine_for_ever() {
    let machine = bare();
    let _sleeper = machine.spawn(&["sleep", "1000"]);
    fs::write(std::env::var("REPORT").unwrap(), format!("{}\n", machine.host_cgroup().display())).unwrap();
    machine.wait_within(Duration::from_secs(600), "the end", || false);
}

#[test]
fn a_machine_ends_when_its_test_is_killed() {
    let directory = tempfile::tempdir().unwrap();
    let report = directory.path().join("report");
    let mut test = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "a_machine_for_ever"])
        .env("REPORT", &report)
        .stdout(Stdio::null())
        .process_group(0)
        .spawn()
        .unwrap();
    // Another machine for its waiting.
    let machine = bare();
    let cgroup = machine.wait_some("the other test's machine", || {
        fs::read_to_string(&report)
            .ok()
            .filter(|text| text.ends_with('\n'))
            .map(|text| text.trim().to_owned())
    });
    assert!(Path::new(&cgroup).exists());
    test.kill().unwrap();
    test.wait().unwrap();
    machine.wait_for("the killed test's machine to end", || !Path::new(&cgroup).exists());
}

#[test]
fn a_step_that_fails_is_named() {
    let error = Machine::builder().bare().file("/proc/no/such", "", 0o644, 0).try_boot().unwrap_err();
    assert!(format!("{error:#}").contains("make /proc/no"), "{error:#}");
}
