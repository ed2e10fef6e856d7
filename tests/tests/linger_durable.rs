//! A linger flag that was acknowledged survives a power failure; one that cannot be kept is refused, and nothing changes.

mod names_common;

use std::fs;

use names_common::*;
use usher_tests::{ALICE, BOB, Background, Machine, Output, Person};

const DISK: &str = "/usr/lib/usher-slow-disk.so";

/// A machine whose disk can be made to wait and to fail.
fn with_slow_disk() -> Machine {
    let disk = shared_object("slow_disk", include_str!("names_common/slow_disk.c"));
    let machine =
        Machine::builder().config("[Login]\nUserStopDelaySec=0\nManager=none\n").program(disk, DISK).boot();
    machine.run(&["mkdir", "/run/disk"]);
    machine
}

fn start<'m>(machine: &'m Machine) -> Background<'m> {
    usherd_with(machine, &[("LD_PRELOAD", DISK)])
}

fn disk(machine: &Machine, command: &str, what: &str) {
    machine.run(&[command, &format!("/run/disk/{what}")]);
}

/// What the disk has done, since somebody looked.
fn done(machine: &Machine) -> Vec<String> {
    let log = machine.read("/run/disk/log");
    let _ = fs::remove_file(machine.file("/run/disk/log"));
    log.lines().map(str::to_owned).collect()
}

fn lingers(machine: &Machine, person: &Person) -> bool {
    machine.try_run(&["usherctl", "show-user", person.name, "-P", "Linger"]).text() == "yes"
}

/// A request that must fail with these words, and leave the flags as they were.
fn refused(machine: &Machine, verb: &str, person: &Person, words: &[&str]) -> Output {
    let before = (flagged(machine), lingers(machine, person));
    let output = machine.try_run(&["usherctl", verb, person.name]);
    assert_eq!(output.code, 1, "{output}");
    for word in words {
        assert!(output.stderr.contains(word), "no '{word}' in {output}");
    }
    assert_eq!((flagged(machine), lingers(machine, person)), before, "{output}");
    output
}

#[test]
fn the_file_then_the_directory_then_the_answer() {
    let machine = with_slow_disk();
    let _broker = start(&machine);
    flags(&machine, &[]);
    for verb in ["enable-linger", "disable-linger"] {
        let file = verb == "enable-linger";
        disk(&machine, "touch", "hold-file");
        disk(&machine, "touch", "hold-directory");
        let mut asking = machine.spawn(&["usherctl", verb, "alice"]);
        if file {
            machine.wait_for("the flag to be synced", || {
                machine.read("/run/disk/log").contains("begin /var/lib/systemd/linger/alice\n")
            });
            assert!(!lingers(&machine, &ALICE) && asking.is_running());
            disk(&machine, "rm", "hold-file");
        }
        machine.wait_for("the directory to be synced", || {
            machine.read("/run/disk/log").ends_with("begin /var/lib/systemd/linger\n")
        });
        // The disk is slow, and others do not wait for it.
        assert_eq!(machine.ssh("bob", "echo $XDG_RUNTIME_DIR").text(), "/run/user/1002");
        assert!(lingers(&machine, &ALICE) != file && asking.is_running());
        disk(&machine, "rm", "hold-directory");
        assert_eq!(asking.wait(usher_tests::DEADLINE), 0);
        assert_eq!((lingers(&machine, &ALICE), flagged(&machine).len()), (file, usize::from(file)));
        let synced = ["/var/lib/systemd/linger/alice", "/var/lib/systemd/linger"];
        let lines = synced
            .iter()
            .skip(usize::from(!file))
            .flat_map(|path| [format!("begin {path}"), format!("done {path}")]);
        assert_eq!(done(&machine), lines.collect::<Vec<_>>());
        machine.wait_gone(&BOB);
    }
}

#[test]
fn a_directory_that_is_made_is_synced_up_to_the_root() {
    let machine = with_slow_disk();
    let _broker = start(&machine);
    machine.run(&["rm", "-rf", FLAGS]);
    machine.run(&["usherctl", "enable-linger", "alice"]);
    let log = done(&machine);
    let at = |line: &str| {
        log.iter().position(|other| other == line).unwrap_or_else(|| panic!("no '{line}' in {log:?}"))
    };
    assert!(at("done /var/lib/systemd") < at("begin /var/lib/systemd/linger/alice"), "{log:?}");
    assert_eq!(log.last().map(String::as_str), Some("done /var/lib/systemd/linger"));
}

#[test]
fn what_cannot_be_synced_is_refused_and_taken_back() {
    let machine = with_slow_disk();
    let mut broker = start(&machine);
    machine.run(&["usherctl", "enable-linger", "alice"]);
    for what in ["fail-file", "fail-directory"] {
        disk(&machine, "touch", what);
        let output = refused(
            &machine,
            "enable-linger",
            &BOB,
            &["Could not enable linger: cannot sync /var/lib/systemd/linger", "Input/output error"],
        );
        assert_eq!(output.stderr.contains("linger/bob"), what == "fail-file", "{output}");
        // One who lingers already goes on to do so.
        refused(&machine, "enable-linger", &ALICE, &["Input/output error"]);
        disk(&machine, "rm", what);
    }
    disk(&machine, "touch", "fail-directory");
    refused(&machine, "disable-linger", &ALICE, &["Could not disable linger: ", "Input/output error"]);
    disk(&machine, "rm", "fail-directory");
    assert_eq!(flagged(&machine), ["alice"]);
    // What was refused is not there after a restart either.
    assert_eq!(broker.terminate(), 0);
    let _broker = start(&machine);
    assert!(lingers(&machine, &ALICE) && !lingers(&machine, &BOB));
    machine.run(&["usherctl", "disable-linger", "alice"]);
    machine.wait_gone(&ALICE);
}

#[test]
fn a_place_where_no_flag_can_be() {
    let machine = Machine::builder().config("[Login]\nUserStopDelaySec=0\nManager=none\n").boot();
    let mut broker = machine.start_usherd();
    machine.run(&["usherctl", "enable-linger", "alice"]);
    let tries = [
        (
            "mount --bind /var/lib/systemd/linger /var/lib/systemd/linger; mount -o remount,bind,ro /var/lib/systemd/linger",
            "umount /var/lib/systemd/linger",
            &["cannot create linger flag /var/lib/systemd/linger/bob", "Read-only file system"],
        ),
        (
            "mount -t tmpfs -o size=4k,nr_inodes=2 none /var/lib/systemd/linger; touch /var/lib/systemd/linger/alice",
            "umount /var/lib/systemd/linger",
            &["cannot create linger flag /var/lib/systemd/linger/bob", "No space left on device"],
        ),
        (
            "mv /var/lib/systemd/linger /tmp/flags; ln -s /tmp/flags /var/lib/systemd/linger",
            "rm /var/lib/systemd/linger; mv /tmp/flags /var/lib/systemd/linger",
            &[
                "cannot open /var/lib/systemd/linger",
                "a symbolic link or a file is in the place of the directory",
            ],
        ),
        (
            "mv /var/lib/systemd/linger /tmp/flags; touch /var/lib/systemd/linger",
            "rm /var/lib/systemd/linger; mv /tmp/flags /var/lib/systemd/linger",
            &[
                "cannot open /var/lib/systemd/linger",
                "a symbolic link or a file is in the place of the directory",
            ],
        ),
        (
            "mkfifo /var/lib/systemd/linger/bob",
            "rm /var/lib/systemd/linger/bob",
            &["cannot create linger flag /var/lib/systemd/linger/bob", "something else is there: remove it"],
        ),
        (
            "ln -s /tmp/victim /var/lib/systemd/linger/bob",
            "rm /var/lib/systemd/linger/bob",
            &["cannot create linger flag /var/lib/systemd/linger/bob", "something else is there: remove it"],
        ),
    ];
    for (breaks, mends, words) in tries {
        machine.sh(breaks);
        refused(&machine, "enable-linger", &BOB, words);
        assert!(lingers(&machine, &ALICE) && !machine.exists("/tmp/victim"));
        // Nor does a restart in the middle of it end anybody.
        broker.restart();
        assert!(lingers(&machine, &ALICE) && !lingers(&machine, &BOB), "{breaks}: {}", broker.log());
        machine.sh(mends);
    }
    machine.sh("rm -r /var/lib/systemd; touch /var/lib/systemd");
    refused(&machine, "enable-linger", &BOB, &["/var/lib/systemd/linger"]);
    machine.sh("rm /var/lib/systemd");
    machine.run(&["usherctl", "enable-linger", "bob"]);
    assert_eq!(flagged(&machine), ["bob"]);
}
