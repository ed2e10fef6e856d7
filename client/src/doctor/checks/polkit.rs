//! polkit: who is asked whether somebody may do what is not his own.

use super::counted;
use crate::doctor::finding::Finding;
use crate::doctor::machine::Machine;

const DAEMON: &str = "polkit.daemon";
const ACTIONS: &str = "polkit.actions";

const POLICY: &str = "/usr/share/polkit-1/actions/org.freedesktop.login1.policy";
/// The file that this version is shipped with, as a number: the text is of no use here.
const SHIPPED: u64 =
    fingerprint(include_bytes!("../../../../packaging/polkit-1/org.freedesktop.login1.policy"));
/// What usherd asks polkit about.
const NEEDED: [&str; 5] = ["chvt", "lock-sessions", "manage", "set-self-linger", "set-user-linger"];

pub(super) fn check(machine: &Machine) -> Vec<Finding> {
    let installed = ["/usr/lib/polkit-1/polkitd", "/usr/libexec/polkitd", "/usr/lib/policykit-1/polkitd"];
    let runs = machine.processes.iter().any(|process| process.name == "polkitd");
    if !runs && !installed.iter().any(|path| machine.tree.exists(path)) {
        let finding = "There is no polkit: root may do everything, and users what concerns only themselves.";
        return vec![Finding::note(
            DAEMON,
            finding,
            "desktops want polkit: install it if this machine is to have one",
        )];
    }
    let daemon = if runs {
        Finding::ok(DAEMON, "polkitd runs.")
    } else {
        Finding::note(
            DAEMON,
            "polkitd is installed and does not run at the moment.",
            "nothing, if the bus starts it when it is needed; a desktop does not hear of changes before that",
        )
    };
    vec![daemon, actions(machine)]
}

fn actions(machine: &Machine) -> Finding {
    let install =
        "install usher's: packaging/polkit-1/org.freedesktop.login1.policy to /usr/share/polkit-1/actions";
    let text = match machine.tree.read(POLICY) {
        Ok(text) => text,
        Err(error) => {
            let finding =
                format!("{POLICY} cannot be read ({error}): polkit denies what usherd asks it about.");
            return Finding::problem(ACTIONS, finding, install);
        }
    };
    let defined = |action: &&&str| text.contains(&format!("<action id=\"org.freedesktop.login1.{action}\">"));
    let missing: Vec<_> = NEEDED.iter().filter(|action| !defined(action)).copied().collect();
    if !missing.is_empty() {
        let count = counted(missing.len(), "action");
        let finding = format!("{POLICY} lacks {count} that usherd asks about: {}.", missing.join(", "));
        return Finding::problem(ACTIONS, finding, install);
    }
    if fingerprint(text.as_bytes()) == SHIPPED {
        return Finding::ok(ACTIONS, "polkit's actions are those that usher ships.");
    }
    Finding::note(
        ACTIONS,
        format!("{POLICY} is not the one that usher ships, and has all that usherd asks about."),
        "nothing, if it is systemd's or your own",
    )
}

/// FNV-1a, 64 bits: whether two texts are the same, nobody being interested in deceiving us.
const fn fingerprint(text: &[u8]) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    let mut rest = text;
    while let [byte, after @ ..] = rest {
        hash = (hash ^ *byte as u64).wrapping_mul(0x100_0000_01b3);
        rest = after;
    }
    hash
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Fixture, verdict, words};
    use super::*;
    use crate::doctor::finding::Verdict;

    const TEXT: &str = include_str!("../../../../packaging/polkit-1/org.freedesktop.login1.policy");
    const PROGRAM: &str = "/usr/lib/polkit-1/polkitd";

    #[test]
    fn no_polkit_at_all() {
        assert_eq!(verdict(&check(&Fixture::new().machine), DAEMON), Verdict::Note);
    }

    #[test]
    fn the_shipped_file_and_others() {
        let with = |text: &str| {
            let fixture = Fixture::new().process(5, "polkitd", 0).file(PROGRAM, "").file(POLICY, text);
            let findings = check(&fixture.machine);
            assert_eq!(verdict(&findings, DAEMON), Verdict::Ok);
            (verdict(&findings, ACTIONS), words(&findings, ACTIONS))
        };
        assert_eq!(with(TEXT).0, Verdict::Ok);
        assert_eq!(with(&TEXT.replace("<vendor>", "<vendor>The ")).0, Verdict::Note);
        let (verdict_of, said) = with(&TEXT.replace("login1.manage\"", "login1.managed\""));
        assert_eq!(verdict_of, Verdict::Problem);
        assert!(said.contains("lacks 1 action") && said.contains("manage."), "{said}");
    }

    #[test]
    fn no_actions_and_no_process() {
        let findings = check(&Fixture::new().file(PROGRAM, "").machine);
        assert_eq!(verdict(&findings, DAEMON), Verdict::Note);
        assert_eq!(verdict(&findings, ACTIONS), Verdict::Problem);
    }
}
