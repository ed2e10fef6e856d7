//! Any bytes at all.

use proptest::collection::vec;
use proptest::prelude::*;

use crate::plan::{install, remove};
use crate::{Group, Layout, PamConfig, check, parse};

/// Text that looks like a configuration at times.
fn text() -> impl Strategy<Value = Vec<u8>> {
    let words = prop::sample::select(vec![
        "session",
        "-session",
        "auth",
        "@include",
        "include",
        "substack",
        "optional",
        "required",
        "sufficient",
        "[success=1 default=ignore]",
        "[success=2",
        "]",
        "[",
        "\\]",
        "pam_unix.so",
        "pam_usher.so",
        "pam_systemd.so",
        "pam_elogind.so",
        "pam_permit.so",
        "a",
        "b",
        "#",
        "# usher-pam-setup",
        "\\",
        "\r",
        "\0",
        "debug",
        "class=x",
    ]);
    let line = "(session|-session) (optional|required|include|\\[success=[0-3] default=ignore\\]) \
                (a|b|pam_unix.so|pam_permit.so|pam_systemd.so)( \\\n)?( class=x)?\n";
    let piece = prop_oneof![
        8 => line.prop_map(String::into_bytes),
        4 => words.prop_map(|word| format!("{word} ").into_bytes()),
        2 => Just(b"\n".to_vec()),
        1 => vec(any::<u8>(), 0..8),
    ];
    vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

/// Text that libpam has nothing against: jumps, continued lines, comments, brokers, and no newline at the end at times.
fn sound(modules: &'static str) -> impl Strategy<Value = Vec<u8>> {
    let session = format!(
        "-?session (optional|required|\\[success=[1-3] default=ignore\\]|substack|include) ({modules})( \\\\\n)?( class=x)?"
    );
    let line = prop_oneof![
        6 => proptest::string::string_regex(&session).unwrap().prop_map(|line| {
            // A control for files and one for modules.
            let file = line.contains(" b");
            let inclusion = line.contains(" include ") || line.contains(" substack ");
            if file == inclusion { line } else { "session required pam_env.so".to_owned() }
        }),
        1 => Just("# a remark".to_owned()),
        1 => Just(String::new()),
        1 => Just("auth required pam_unix.so # why".to_owned()),
    ];
    (vec(line, 1..10), any::<bool>()).prop_map(|(lines, newline)| {
        let end = if newline { "\n" } else { "" };
        (lines.join("\n") + end).into_bytes()
    })
}

/// What runs where every module succeeds, as the administrator sees it: by name, brokers left out.
fn succeeds(config: &PamConfig) -> Vec<String> {
    let mut modules = config.own_stack("a", Group::Session).unwrap().modules.into_iter().peekable();
    let mut ran = Vec::new();
    while let Some(module) = modules.next() {
        if module.broker().is_none() {
            ran.push(module.module.clone());
        }
        for _ in 0..module.control.longest_jump() {
            // The end of a substack ends the jump.
            if modules.peek().is_none_or(|next| next.substack < module.substack) {
                break;
            }
            let passed = modules.next().unwrap();
            while passed.substack > module.substack
                && modules.next_if(|next| next.substack > module.substack).is_some()
            {}
        }
    }
    ran
}

proptest! {
    #[test]
    fn nothing_panics_and_everything_ends(a in text(), b in text()) {
        for line in parse(&a) {
            prop_assert!(line.first <= line.last);
        }
        let config = PamConfig::at("/nonexistent").with("a", a).with("b", b).with("common-session", "session include a");
        for name in ["a", "b", "common-session"] {
            for group in [Group::Auth, Group::Session] {
                let stack = config.stack(name, group).unwrap();
                prop_assert!(stack.modules.len() <= 4096);
            }
            check::service(&config, name).unwrap();
        }
        Layout::recognise(&config).unwrap();
        config.services().unwrap();
    }

    /// Whatever can be installed can be removed, byte for byte, and nothing but brokers changes in what runs.
    #[test]
    fn install_and_remove_cancel_out(
        a in sound("pam_unix.so|pam_permit.so|pam_motd.so|pam_systemd.so|b"),
        b in sound("pam_unix.so|pam_permit.so|pam_motd.so"),
        replace in any::<bool>(),
    ) {
        // Modules count as installed here: those that are not would be refused.
        let root = tempfile::tempdir().unwrap();
        let modules = root.path().join("lib/security");
        std::fs::create_dir_all(&modules).unwrap();
        for module in super::fixtures::MODULES {
            std::fs::write(modules.join(module), "").unwrap();
        }
        let config = PamConfig::at(root.path()).with("a", a.clone()).with("b", b);
        let Ok(new) = install(&config, "a", replace) else { return Ok(()) };
        prop_assert_eq!(remove(&new), a);
        let runs = |config: &PamConfig| {
            let stack = config.own_stack("a", Group::Session).unwrap();
            let kept = stack.modules.iter().filter(|module| module.broker().is_none());
            kept.map(|module| (module.module.clone(), module.control.clone())).collect::<Vec<_>>()
        };
        let after = config.clone().with("a", new);
        prop_assert_eq!(runs(&config), runs(&after));
        prop_assert_eq!(succeeds(&config), succeeds(&after));
        prop_assert!(after.own_stack("a", Group::Session).unwrap().has_usher());
    }
}
