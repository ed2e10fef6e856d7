//! Jobs that run by themselves: no manager comes for them, and the log stays readable.

use usher_tests::{ALICE, Machine};

/// A minute's worth of jobs, all due at once.
const JOBS: usize = 60;

#[test]
fn sixty_jobs_of_a_real_cron_start_no_manager() {
    let job = "echo $XDG_SESSION_ID $XDG_SESSION_CLASS $XDG_RUNTIME_DIR $(stat -c %u $XDG_RUNTIME_DIR) > ~/job.$N.new; \
               mv ~/job.$N.new ~/job.$N\n";
    let machine = Machine::builder()
        .pam_line("cron", "session optional pam_usher.so")
        .file("/home/alice/job.sh", job, 0o644, 1001)
        .boot();
    let usherd = machine.start_usherd();
    let crontab: String = (0..JOBS).map(|n| format!("@reboot N={n} sh ~/job.sh\n")).collect();
    std::fs::write(machine.file("/tmp/crontab"), crontab).expect("crontab");
    machine.sh("crontab -u alice /tmp/crontab");
    let _cron = machine.start_cron();
    let done = |n: usize| machine.exists(format!("/home/alice/job.{n}"));
    machine.wait_for("all jobs", || (0..JOBS).all(done));

    let mut ids = std::collections::BTreeSet::new();
    for n in 0..JOBS {
        let said = machine.read(format!("/home/alice/job.{n}"));
        let words: Vec<&str> = said.split_whitespace().collect();
        let [id, "background-light", "/run/user/1001", "1001"] = words[..] else { panic!("{n}: {said}") };
        assert!(ids.insert(id.to_owned()), "session {id} twice");
    }
    machine.wait_for("all sessions to end", || machine.all_sessions(&ALICE).is_empty());
    assert_eq!(machine.manager(&ALICE), None);
    let log = usherd.log();
    assert!(!log.contains("user manager"), "{log}");
    let about = |line: &&str| line.contains(" INFO ") && (line.contains("session") || line.contains("user"));
    let lines = log.lines().filter(about).filter(|line| !line.contains("configuration")).count();
    assert!(lines <= JOBS, "{lines} lines for {JOBS} jobs: {log}");
    assert!(log.matches("(background-light, cron)").count() == JOBS, "{log}");
}
