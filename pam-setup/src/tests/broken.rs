//! Configurations that libpam would stumble over.

use super::fixtures::Root;
use crate::{Group, Stack};

fn stack(files: &[(&str, &str)]) -> Stack {
    Root::with(files).config().stack("x", Group::Session).unwrap()
}

fn problems(files: &[(&str, &str)]) -> Vec<String> {
    stack(files).problems.iter().map(ToString::to_string).collect()
}

#[test]
fn an_unknown_control_is_named_by_file_and_line() {
    let found = problems(&[("x", "session include y\n"), ("y", "\nsession optinal pam_unix.so\n")]);
    assert!(matches!(&found[..], [one] if one.starts_with("/etc/pam.d/y:2: 'optinal' ")), "{found:?}");
    // Another group's is none of the sessions' business. A line without any group belongs to auth, or to the group that
    // the file is included for.
    assert_eq!(problems(&[("x", "auth optinal pam_unix.so\nsession required pam_unix.so\n")]).len(), 0);
    let atuh = "atuh optional pam_unix.so\nsession required pam_unix.so\n";
    assert_eq!(problems(&[("x", atuh)]).len(), 0);
    assert_eq!(problems(&[("x", "session include y\n"), ("y", atuh)]).len(), 1);
    assert_eq!(problems(&[("x", "@include y\n"), ("y", atuh)]).len(), 0);
    let auth = Root::with(&[("x", atuh)]).config().stack("x", Group::Auth).unwrap();
    assert_eq!(auth.problems.len(), 1);
}

#[test]
fn a_missing_file_is_named() {
    let found = problems(&[("x", "session include y\n")]);
    assert!(matches!(&found[..], [one] if one.starts_with("/etc/pam.d/x:1: includes 'y'")), "{found:?}");
    let root = Root::with(&[]);
    assert!(root.config().stack("x", Group::Session).unwrap_err().to_string().contains("'x'"));
}

#[test]
fn loops_end() {
    for line in ["session include", "session substack", "@include"] {
        let (x, y) = (format!("{line} y\n"), format!("{line} x\n"));
        let found = problems(&[("x", &x), ("y", &y)]);
        assert!(
            matches!(&found[..], [one] if one.starts_with("/etc/pam.d/y:1: includes 'x', which")),
            "{found:?}"
        );
    }
    assert_eq!(problems(&[("x", "session include x\n")]).len(), 1);
}

#[test]
fn depth_and_length_are_bounded() {
    let names: Vec<_> = (0..40).map(|n| format!("f{n}")).collect();
    // Each includes the next one twice: 2^40 lines.
    let mut files: Vec<_> = names
        .windows(2)
        .map(|w| (w[0].as_str(), format!("session include {0}\nsession include {0}\n", w[1])))
        .collect();
    files.push(("x", "session include f0\n".to_owned()));
    let files: Vec<_> = files.iter().map(|(name, text)| (*name, text.as_str())).collect();
    let found = problems(&files);
    assert!(found.iter().any(|text| text.contains("more than 32 files")), "{found:?}");
    assert!(found.iter().any(|text| text.contains("4096 lines")), "{found:?}");
}

#[test]
fn what_is_no_file_is_an_error_and_not_a_wait() {
    let root = Root::with(&[("x", "session include fifo\n")]);
    rustix::fs::mknodat(
        rustix::fs::CWD,
        root.path().join("etc/pam.d/fifo"),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RUSR,
        0,
    )
    .unwrap();
    let stack = root.config().stack("x", Group::Session).unwrap();
    assert!(stack.problems[0].text.contains("not a regular file"), "{stack:?}");
    root.write("big", &vec![b'#'; (1 << 20) + 1]);
    assert!(root.config().read("big").unwrap_err().to_string().contains("1 MiB"));
}
