use super::super::testing::{Fixture, verdict, words};
use super::*;
use crate::doctor::finding::Verdict;

const UNIX: &str = "session required pam_unix.so\n";
const USHER: &str = "session required pam_unix.so\nsession optional pam_usher.so\n";

/// As Debian has it, with its modules installed.
fn debian(common: &str) -> Fixture {
    let modules = ["pam_unix.so", "pam_usher.so", "pam_systemd.so", "pam_elogind.so", "pam_limits.so"];
    let fixture = Fixture::new()
        .file("/etc/pam.d/common-session", common)
        .file("/etc/pam.d/login", "@include common-session\n")
        .file("/etc/pam.d/sshd", "@include common-session\n")
        .file("/etc/pam.d/su", "@include common-session\n")
        .file("/etc/pam.d/cron", UNIX)
        .file("/etc/pam.d/systemd-user", USHER);
    let path = |module| format!("/usr/lib/x86_64-linux-gnu/security/{module}");
    modules.into_iter().fold(fixture, |fixture, module| fixture.file(&path(module), ""))
}

fn of(fixture: &Fixture) -> Vec<Finding> {
    check(&fixture.machine)
}

#[test]
fn as_it_should_be() {
    let findings = of(&debian(USHER));
    for id in [INSTALLED, LOGINS, OTHERS, LINES, MANAGER] {
        assert_eq!(verdict(&findings, id), Verdict::Ok, "{id}: {}", words(&findings, id));
    }
    let said = words(&findings, LOGINS);
    assert!(
        said.contains(
            "Logins of login, sshd are registered with usherd (/etc/pam.d/common-session:2, optional)"
        ),
        "{said}"
    );
    assert!(words(&findings, OTHERS).contains("through cron, and"));
}

#[test]
fn services_that_others_include_are_services() {
    let fixture =
        debian(UNIX).file("/etc/pam.d/su-l", "@include su\n").file("/etc/pam.d/remote", "@include login\n");
    let findings = of(&fixture);
    assert!(
        words(&findings, LOGINS).contains("session: login, remote, sshd."),
        "{}",
        words(&findings, LOGINS)
    );
    assert!(words(&findings, OTHERS).contains("through cron, su, su-l, and"), "{}", words(&findings, OTHERS));
}

#[test]
fn in_no_stack_at_all() {
    let findings = of(&debian(UNIX));
    assert_eq!(verdict(&findings, LOGINS), Verdict::Problem);
    let said = words(&findings, LOGINS);
    assert!(
        said.contains("no login gets a session: login, sshd.") && said.contains("usher-pam-setup install"),
        "{said}"
    );
}

#[test]
fn half_configured() {
    let fixture = debian(UNIX)
        .file("/etc/pam.d/login", USHER)
        .file("/etc/pam.d/lightdm", "session required pam_unix.so\n");
    let said = words(&of(&fixture), LOGINS);
    for login in [
        "Logins of login are registered",
        "Logins of sshd get no session",
        "Logins of lightdm get no session",
    ] {
        assert!(said.contains(login), "{said}");
    }
}

#[test]
fn no_module_installed() {
    let fixture = debian(USHER);
    std::fs::remove_file(fixture.machine.tree.path("/usr/lib/x86_64-linux-gnu/security/pam_usher.so"))
        .expect("removed");
    let findings = of(&fixture);
    assert_eq!(verdict(&findings, INSTALLED), Verdict::Problem);
    assert!(words(&findings, LINES).contains("names pam_usher.so, which is not installed"));
}

#[test]
fn a_module_for_another_machine_and_one_where_nobody_looks() {
    let path = "/usr/lib/x86_64-linux-gnu/security/pam_usher.so";
    let with = |head: &[u8]| {
        let fixture = debian(USHER);
        std::fs::write(fixture.machine.tree.path(path), head).expect("written");
        verdict(&of(&fixture), INSTALLED)
    };
    let own = std::fs::read("/proc/self/exe").expect("this program");
    assert_eq!(with(&own[..20]), Verdict::Ok);
    let mut other = own[..20].to_vec();
    other[18] ^= 1;
    assert_eq!(with(&other), Verdict::Problem);
    assert_eq!(with(b"\x7fELF"), Verdict::Ok, "nobody can tell");
    let lonely = debian(USHER);
    std::fs::remove_file(lonely.machine.tree.path("/usr/lib/x86_64-linux-gnu/security/pam_unix.so"))
        .expect("removed");
    assert_eq!(verdict(&of(&lonely), INSTALLED), Verdict::Warning);
}

#[test]
fn two_brokers_fight() {
    for other in ["pam_systemd.so", "pam_elogind.so"] {
        let findings = of(&debian(&format!("{USHER}session optional {other}\n")));
        assert_eq!(verdict(&findings, LINES), Verdict::Problem, "{other}");
        let said = words(&findings, LINES);
        assert!(said.contains(&format!("/etc/pam.d/common-session:3: {other} registers logins")), "{said}");
    }
}

#[test]
fn in_place_of_another() {
    let with = |module| of(&debian(&format!("{UNIX}session optional {module}\n")));
    let findings = with("pam_systemd.so");
    assert!(
        findings
            .iter()
            .filter(|finding| finding.check == LOGINS)
            .all(|finding| finding.verdict == Verdict::Note)
    );
    let findings = with("pam_elogind.so");
    assert!(words(&findings, LOGINS).contains("--replace"));
    assert!(
        findings
            .iter()
            .filter(|finding| finding.check == LOGINS)
            .all(|finding| finding.verdict == Verdict::Problem)
    );
}

#[test]
fn before_pam_unix_and_required() {
    let findings = of(&debian("session optional pam_usher.so\nsession required pam_unix.so\n"));
    assert_eq!(verdict(&findings, LINES), Verdict::Problem);
    assert!(words(&findings, LINES).contains("common-session:1: pam_usher.so stands before pam_unix.so"));
    let findings = of(&debian("session required pam_unix.so\nsession required pam_usher.so\n"));
    assert_eq!(verdict(&findings, LINES), Verdict::Warning);
}

#[test]
fn others_troubles_are_notes() {
    let findings = of(&debian(&format!("{USHER}session optional pam_gone.so\n")));
    assert_eq!(verdict(&findings, LINES), Verdict::Note);
}

#[test]
fn the_managers_session() {
    let fixture = debian(USHER);
    std::fs::remove_file(fixture.machine.tree.path("/etc/pam.d/systemd-user")).expect("removed");
    assert_eq!(verdict(&of(&fixture), MANAGER), Verdict::Note);
    assert_eq!(verdict(&of(&debian(USHER).file("/etc/pam.d/systemd-user", UNIX)), MANAGER), Verdict::Note);
}

#[test]
fn no_pam() {
    assert_eq!(verdict(&of(&Fixture::new()), FILES), Verdict::Problem);
}

#[test]
fn which_services_are_logins() {
    for name in ["login", "sshd", "gdm-password", "sddm", "ly"] {
        assert!(is_login(name), "{name}");
    }
    for name in ["lynx", "su", "common-session", "gdmx", "polkit-1"] {
        assert!(!is_login(name), "{name}");
    }
}
