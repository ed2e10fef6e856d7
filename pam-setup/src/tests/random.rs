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
                (a|b|pam_unix.so|pam_permit.so|pam_systemd.so)( \\\\\n)?( class=x)?\n";
    let piece = prop_oneof![
        8 => line.prop_map(String::into_bytes),
        4 => words.prop_map(|word| format!("{word} ").into_bytes()),
        2 => Just(b"\n".to_vec()),
        1 => vec(any::<u8>(), 0..8),
    ];
    vec(piece, 0..24).prop_map(|pieces| pieces.concat())
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
    fn install_and_remove_cancel_out(a in text(), b in text(), replace in any::<bool>()) {
        // Modules count as installed here: those that are not would be refused.
        let root = tempfile::tempdir().unwrap();
        let modules = root.path().join("lib/security");
        std::fs::create_dir_all(&modules).unwrap();
        for module in super::fixtures::MODULES {
            std::fs::write(modules.join(module), "").unwrap();
        }
        let config = PamConfig::at(root.path()).with("a", a.clone()).with("b", b);
        let marked = a.windows(15).any(|window| window == b"usher-pam-setup");
        let Ok(new) = install(&config, "a", replace) else { return Ok(()) };
        if !marked {
            prop_assert_eq!(remove(&new), a);
        }
        let runs = |config: &PamConfig| {
            let stack = config.own_stack("a", Group::Session).unwrap();
            let kept = stack.modules.iter().filter(|module| module.broker().is_none());
            kept.map(|module| (module.module.clone(), module.control.clone())).collect::<Vec<_>>()
        };
        let after = config.clone().with("a", new);
        prop_assert_eq!(runs(&config), runs(&after));
        prop_assert!(after.own_stack("a", Group::Session).unwrap().has_usher());
    }
}
