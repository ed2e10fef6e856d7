//! The guide to systemd/User, journal and temporary files: `journalctl --user` with a stand-alone systemd-journald, and
//! `systemd-tmpfiles --user`.

mod guide_common;

use guide_common::*;
use usher_tests::spec::{NOTIFICATIONS, NOTIFY_SOCKET};
use usher_tests::{ALICE, BOB, Background, Machine};

const JOURNALD: &str = "/lib/systemd/systemd-journald";

/// systemd-journald as another init's service would run it; it keeps journals for each user in /var/log/journal.
fn start_journald(machine: &Machine) -> Background<'_> {
    // The manager and journalctl compare machine and boot.
    machine.sh(
        "mkdir -p /var/log/journal /run/systemd/journal; [ -s /etc/machine-id ] || systemd-machine-id-setup",
    );
    let mut journald = machine.spawn_with(&[JOURNALD], None, &[("NOTIFY_SOCKET", NOTIFY_SOCKET)]);
    let ready = format!("{} READY=1", journald.pid());
    machine.wait_for("journald to be ready", || {
        assert!(journald.is_running(), "{}", journald.log());
        machine.read(NOTIFICATIONS).lines().any(|line| line == ready)
    });
    machine.run(&["journalctl", "--flush"]);
    journald
}

/// The services stay: of a process that has ended, journald can no more find out whose it was.
#[test]
fn journalctl_user_shows_what_her_services_say() {
    // Again and again: systemctl asks for the lines of this run of the unit, and what is said right at its start may come to
    // journald before it can see which run that is.
    let unit =
        "[Service]\nExecStart=/bin/sh -c 'while :; do echo words of %u; echo and more >&2; sleep 1; done'\n";
    let machine =
        guide().user_unit("alice", "say.service", unit).user_unit("bob", "say.service", unit).boot();
    let _journald = start_journald(&machine);
    let _usherd = machine.start_usherd();
    let mut alices = log_in(&machine, "alice");
    let mut bobs = log_in(&machine, "bob");
    for (shell, user, other) in [(&mut alices, "alice", "bob"), (&mut bobs, "bob", "alice")] {
        shell.ask("systemctl --user start say.service");
        let words = format!("words of {user}");
        for journal in ["--user -u say.service", "--user-unit say.service", "--user"] {
            let command = format!("journalctl --no-pager -o cat {journal}");
            machine.wait_for(&format!("{user}'s words in `{command}`"), || {
                let said = shell.try_ask(&command).1;
                said.lines().any(|line| line == words) && said.lines().any(|line| line == "and more")
            });
            let said = shell.ask(&command);
            assert!(!said.contains(&format!("words of {other}")), "{said}");
        }
        let said =
            shell.ask("journalctl --no-pager --user-unit say.service -o json -g 'words of' | tail -n 1");
        assert!(said.contains("\"_SYSTEMD_USER_UNIT\":\"say.service\""), "{said}");
    }
    // And the last lines are in the unit's status.
    machine.wait_for("alice's words in the unit's status", || {
        alices.try_ask("systemctl --user --no-pager --full status say.service").1.contains("words of alice")
    });
    alices.close();
    bobs.close();
    machine.wait_gone(&ALICE);
    machine.wait_gone(&BOB);
}

/// A manager that was there before reaches the next journald.
#[test]
fn journalctl_user_goes_on_after_a_restart_of_journald() {
    let machine = guide().boot();
    let mut journald = start_journald(&machine);
    let _usherd = machine.start_usherd();
    let mut shell = log_in(&machine, "alice");
    journald.terminate();
    let _next = start_journald(&machine);
    shell.ask(
        "systemd-run --user --quiet --unit=after sh -c 'echo said to the next one; exec sleep infinity'",
    );
    machine.wait_for("the words", || {
        shell
            .try_ask("journalctl --user --no-pager -o cat -u after.service")
            .1
            .contains("said to the next one")
    });
    shell.close();
    machine.wait_gone(&ALICE);
}

#[test]
fn journalctl_user_works_where_journald_comes_after_the_manager() {
    let machine = guide().boot();
    let _usherd = machine.start_usherd();
    let mut shell = log_in(&machine, "alice");
    let _journald = start_journald(&machine);
    shell.ask("systemd-run --user --quiet --unit=late sh -c 'echo said late; exec sleep infinity'");
    machine.wait_for("the words", || {
        shell.try_ask("journalctl --user --no-pager -o cat -u late.service").1.contains("said late")
    });
    shell.close();
    machine.wait_gone(&ALICE);
}

#[test]
fn systemd_tmpfiles_user_makes_what_she_asks_for() {
    let machine = guide()
        .file(
            "/home/alice/.config/user-tmpfiles.d/mine.conf",
            "d %t/mine 0700 - - -\nf %t/mine/file 0600 - - - text\nL %h/link - - - - %t/mine\n",
            0o644,
            1001,
        )
        .boot();
    let _usherd = machine.start_usherd();
    let mut shell = log_in(&machine, "alice");
    shell.ask("systemd-tmpfiles --user --create");
    assert_eq!(shell.ask("stat -c %a:%U $XDG_RUNTIME_DIR/mine; cat ~/link/file"), "700:alice\ntext");
    // By the unit that comes with it, from the next login on.
    shell.ask("systemctl --user --quiet enable systemd-tmpfiles-setup.service");
    shell.close();
    machine.wait_gone(&ALICE);
    let mut shell = log_in(&machine, "alice");
    wait_unit(&machine, &mut shell, "systemd-tmpfiles-setup.service", "active");
    assert_eq!(shell.ask("cat $XDG_RUNTIME_DIR/mine/file"), "text");
    shell.close();
    machine.wait_gone(&ALICE);
}
