//! The profile for pam-auth-update(8), by the real one.

mod pam_setup_common;

use pam_setup_common::{done, everything, fails, ssh_session};
use usher_tests::Machine;

const COMMON: &str = "/etc/pam.d/common-session";
const PROFILE: &str = include_str!("../../packaging/pam-configs/usher");
const LINE: &str = "session\toptional\tpam_usher.so \n";

/// Debian as it is installed: pam-auth-update has written the shared files, with these profiles on.
fn debian(profiles: &[&str]) -> Machine {
    let systemd = "Name: systemd\nDefault: yes\nPriority: 0\nSession-Interactive-Only: yes\nSession-Type: Additional\n\
                   Session:\n\toptional\tpam_systemd.so\n";
    let cap = "Name: keyrings\nDefault: yes\nPriority: 0\nSession-Type: Additional\nSession:\n\toptional\tpam_umask.so\n";
    let machine = Machine::builder()
        .file("/usr/share/pam-configs/systemd", systemd, 0o644, 0)
        .file("/usr/share/pam-configs/umask", cap, 0o644, 0)
        .boot();
    let update = "export DEBIAN_FRONTEND=noninteractive; \
                  cd /usr/share/pam-configs && ls | grep -vxE 'unix|systemd|umask' | xargs -r rm; \
                  rm -rf /var/lib/pam; mkdir /var/lib/pam; pam-auth-update --force --package";
    machine.sh(&format!("{update} --enable unix {}", profiles.join(" ")));
    let off: Vec<_> = ["systemd", "umask"].into_iter().filter(|name| !profiles.contains(name)).collect();
    if !off.is_empty() {
        machine.sh(&format!(
            "DEBIAN_FRONTEND=noninteractive pam-auth-update --package --disable {}",
            off.join(" ")
        ));
    }
    machine.sh("rm -f /etc/pam.d/*.pam-old");
    assert!(machine.read(COMMON).contains("(the \"Additional\" block)"), "{}", machine.read(COMMON));
    std::fs::write(machine.file("/usr/share/pam-configs/usher"), PROFILE).expect("profile");
    machine
}

fn lines(machine: &Machine) -> Vec<String> {
    let text = machine.read(COMMON);
    let (_, block) = text.split_once("\"Additional\" block)\n").expect("the block");
    block
        .lines()
        .take_while(|line| !line.starts_with('#'))
        .map(|line| line.split_whitespace().last().unwrap_or("").to_owned())
        .collect()
}

#[test]
fn the_profile_is_switched_on_and_off_by_pam_auth_update_itself() {
    let machine = debian(&["umask"]);
    let _usherd = machine.start_usherd();
    let before = machine.read(COMMON);
    assert_eq!(ssh_session(&machine), "");
    // As a package's postinst does: a new profile with "Default: yes" is on.
    machine.sh("DEBIAN_FRONTEND=noninteractive pam-auth-update --package");
    assert_eq!(lines(&machine), ["pam_unix.so", "pam_usher.so", "pam_umask.so"]);
    assert!(machine.read(COMMON).contains(LINE));
    assert!(!machine.read("/etc/pam.d/common-session-noninteractive").contains("usher"));
    assert!(ssh_session(&machine).ends_with("/run/user/1001"));
    // As its prerm does.
    machine.sh("DEBIAN_FRONTEND=noninteractive pam-auth-update --package --remove usher");
    assert_eq!(machine.read(COMMON), before);
}

#[test]
fn install_and_remove_have_pam_auth_update_do_it() {
    let machine = debian(&["umask"]);
    let _usherd = machine.start_usherd();
    let before = machine.read(COMMON);
    let all = everything(&machine) + &machine.read("/var/cache/debconf/config.dat");
    let said = done(&machine, &["install", "--dry-run"]);
    assert!(said.contains("+session\toptional\tpam_usher.so"), "{said}");
    assert_eq!(everything(&machine) + &machine.read("/var/cache/debconf/config.dat"), all);

    let said = fails(&machine, &["install", "--service", "common-session"]);
    assert!(said.contains("leave --service out"), "{said}");
    assert_eq!(machine.read(COMMON), before);

    done(&machine, &["install"]);
    assert!(machine.read(COMMON).contains(LINE));
    assert!(ssh_session(&machine).ends_with("/run/user/1001"));
    let kept = everything(&machine);
    assert!(done(&machine, &["install"]).contains("nothing to do"));
    assert_eq!(everything(&machine), kept);
    assert!(done(&machine, &["status"]).contains("sshd"), "status");

    done(&machine, &["remove"]);
    assert_eq!(machine.read(COMMON), before);
    assert_eq!(ssh_session(&machine), "");
    assert!(done(&machine, &["remove"]).contains("nothing to do"));
}

#[test]
fn systemds_profile_goes_only_when_asked_and_comes_back() {
    let machine = debian(&["systemd"]);
    let before = machine.read(COMMON);
    assert_eq!(lines(&machine), ["pam_unix.so", "pam_systemd.so"]);
    let all = everything(&machine);
    let said = fails(&machine, &["install"]);
    assert!(said.contains("pam_systemd.so (systemd-logind)") && said.contains("--replace"), "{said}");
    assert_eq!(everything(&machine), all);

    done(&machine, &["install", "--replace"]);
    assert_eq!(lines(&machine), ["pam_unix.so", "pam_usher.so"]);
    // And pam-auth-update, run by any other package, leaves it so.
    machine.sh("DEBIAN_FRONTEND=noninteractive pam-auth-update --package");
    assert_eq!(lines(&machine), ["pam_unix.so", "pam_usher.so"]);
    done(&machine, &["remove"]);
    assert_eq!(machine.read(COMMON), before);
}

#[test]
fn edited_files_are_left_alone_and_that_is_said() {
    let machine = debian(&["umask"]);
    let text = machine.read(COMMON);
    let edited =
        text.replace("# end of pam-auth-update", "session optional pam_keyinit.so\n# end of pam-auth-update");
    std::fs::write(machine.file(COMMON), edited).expect("common-session");
    let before = everything(&machine);
    let said = fails(&machine, &["install"]);
    assert!(said.contains("somebody has edited them between its marks"), "{said}");
    assert_eq!(everything(&machine), before);
}

#[test]
fn a_stack_that_fails_is_not_switched_on() {
    let machine = debian(&["umask"]);
    let line = "session [success=bad default=ignore] pam_succeed_if.so quiet service = ";
    let text = machine.read(COMMON);
    std::fs::write(machine.file(COMMON), format!("{text}{line}usher-pam-setup.new\n"))
        .expect("common-session");
    let before = everything(&machine);
    let said = fails(&machine, &["install"]);
    assert!(said.contains("nothing was changed"), "{said}");
    assert_eq!(everything(&machine), before);
    // In its place only: pam-auth-update undoes it.
    std::fs::write(machine.file(COMMON), format!("{text}{line}common-session\n")).expect("common-session");
    let before = machine.read(COMMON);
    let said = fails(&machine, &["install"]);
    assert!(said.contains("pam-auth-update has undone it"), "{said}");
    assert_eq!(machine.read(COMMON), before);
}
