//! What a client sees of org.freedesktop.login1, as text: transcripts of the program `usher-login1-probe`. Those of the real
//! systemd-logind are kept in `tests/data/login1`, one file a scenario; usherd's are compared with them, and every
//! difference is either listed in `differences.txt` there, with its reason, or a failure.

mod compare;
mod differences;

use std::fs;
use std::os::unix::fs::{MetadataExt, chown};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::machine::command::Output;
use crate::{Machine, Oracle, artefacts};

/// Where the probe is in both worlds.
const PROBE: &str = "/usr/bin/usher-login1-probe";
/// A scenario takes some seconds; this is for a computer that does much else, and for waits that are in vain.
const LIMIT: Duration = Duration::from_secs(300);
/// Both daemons are told the same: no waiting after a logout, nothing killed at one.
const CONFIG: &str = "[Login]\nUserStopDelaySec=0\nKillUserProcesses=no\n";
/// Set to 1, the real logind's transcripts are written instead of compared.
const UPDATE: &str = "UPDATE_GOLDENS";

/// One test function for each scenario, which calls the named function with the scenario's name; and `SCENARIOS`, all names.
#[macro_export]
macro_rules! login1_scenarios {
    ($play:path) => {
        $crate::login1_scenarios! { $play:
            login_first "login-first", login_second "login-second", login_refused "login-refused", login_scope "login-scope",
            login_classes "login-classes", lists "lists", lookups "lookups", lookups_outside "lookups-outside",
            malformed "malformed", introspection "introspection", hints "hints", control "control",
            control_lost "control-lost", devices "devices", killing "killing", release "release", endings "endings",
            closing "closing", terminated "terminated", lingering "lingering", seat "seat", power "power", inhibit "inhibit",
            denied "denied",
        }
    };
    ($play:path: $($test:ident $name:literal,)*) => {
        /// Names of all scenarios.
        const SCENARIOS: &[&str] = &[$($name),*];
        $(
            #[test]
            fn $test() {
                $play($name);
            }
        )*
    };
}

/// The probe as it was built.
///
/// # Panics
/// When it has not been built; the message says how.
pub fn probe() -> PathBuf {
    artefacts::built("usher-login1-probe").unwrap_or_else(|error| panic!("{error:#}"))
}

/// Plays a scenario before the real logind and compares with the transcript that is kept, or keeps this one if
/// `UPDATE_GOLDENS` is 1.
///
/// # Panics
/// When it is not the same; the message shows where.
pub fn play_to_logind(scenario: &str) {
    let oracle = Oracle::boot(CONFIG);
    oracle.install(&probe(), PROBE);
    let transcript = played(&oracle.output("root", &[PROBE, scenario], LIMIT), || oracle.dump());
    let path = golden(scenario);
    if std::env::var_os(UPDATE).is_some_and(|value| value == "1") {
        return keep(&path, &transcript);
    }
    let hunks = compare::hunks(&kept(&path), &transcript);
    assert!(
        hunks.is_empty(),
        "the real logind no longer does what {} says ({UPDATE}=1 writes it anew):\n{}",
        path.display(),
        compare::show(&hunks)
    );
}

/// Plays a scenario before usherd, in a machine with a real bus, without virtual terminals and without polkit, and
/// compares with what logind did.
///
/// # Panics
/// When there is a difference that is not listed, or one that is listed and is not there.
pub fn play_to_usherd(scenario: &str) {
    let machine = Machine::builder().config(CONFIG).no_terminals().program(probe(), PROBE).boot();
    // The host's packages would let the bus start it.
    machine.sh("rm -f /usr/share/dbus-1/system-services/org.freedesktop.PolicyKit1.service");
    let _bus = machine.start_dbus();
    let _usherd = machine.start_usherd_quietly();
    machine.wait_for("usherd to own the name", || {
        machine.try_run(&["busctl", "status", "org.freedesktop.login1"]).ok()
    });
    let output = machine.output_within(machine.command(&[PROBE, scenario]), &[PROBE, scenario], LIMIT);
    let transcript = played(&output, || machine.dump());
    let usherds = compare::without_words(&transcript);
    let hunks = compare::hunks(&compare::without_words(&kept(&golden(scenario))), &usherds);
    let table = fs::read_to_string(directory().join("differences.txt")).unwrap_or_default();
    let listed = differences::of(scenario, &table).unwrap_or_else(|error| panic!("differences.txt: {error}"));
    let verdict = differences::judge(&hunks, &listed);
    assert!(
        verdict.is_empty(),
        "{scenario}: usherd (+) and logind (-) are not as {} says\n{verdict}\n{}",
        directory().join("differences.txt").display(),
        if std::env::var_os("SHOW_TRANSCRIPT").is_some() { transcript.as_str() } else { "" }
    );
}

fn played(output: &Output, dump: impl Fn() -> String) -> String {
    assert!(output.ok(), "the probe failed: {output}\n{}", dump());
    output.stdout.clone()
}

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("data/login1")
}

fn golden(scenario: &str) -> PathBuf {
    directory().join(format!("{scenario}.txt"))
}

fn kept(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| {
        panic!(
            "{}: {error}; `{UPDATE}=1 cargo xtask test --tier oracle` asks the real logind and writes it",
            path.display()
        )
    })
}

/// The source tree holds only files of the one whose tree it is.
fn keep(path: &Path, transcript: &str) {
    let kept = fs::write(path, transcript)
        .and_then(|()| fs::metadata(directory()))
        .and_then(|owner| chown(path, Some(owner.uid()), Some(owner.gid())));
    kept.unwrap_or_else(|error| panic!("write {}: {error}", path.display()));
}
