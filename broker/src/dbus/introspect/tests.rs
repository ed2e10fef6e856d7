//! Introspection against what logind 257 says of itself.

use super::*;
use crate::dbus::path;

/// Doctype, opening and closing tags in order, attributes sorted by name: what two documents that mean the same have in
/// common.
fn tags(xml: &str) -> Vec<Vec<String>> {
    let mut tags = Vec::new();
    for piece in xml.split('<').skip(1) {
        let (tag, text) = piece.split_once('>').expect("a tag ends");
        assert!(text.trim().is_empty(), "text outside tags: {text:?}");
        let empty = tag.ends_with('/');
        let mut quoted = false;
        let words = tag.trim_end_matches('/').split(|c: char| {
            quoted ^= c == '"';
            c.is_whitespace() && !quoted
        });
        let mut words: Vec<String> = words.filter(|word| !word.is_empty()).map(str::to_owned).collect();
        if let Some((_, attributes)) = words.split_first_mut() {
            attributes.sort();
        }
        let closing = empty.then(|| vec![format!("/{}", words[0])]);
        tags.push(words);
        tags.extend(closing);
    }
    tags
}

fn same(path: &str, logind: &str) {
    let object = path::parse(path).expect("a path");
    let children = fixed_children(&object, false);
    let ours = document(&object, children.iter().copied());
    assert_eq!(tags(&ours), tags(logind), "{path}: {ours}");
}

#[test]
fn objects_look_as_logind_s_do() {
    same("/org/freedesktop/login1", include_str!("../interfaces/testdata/login1-manager.xml"));
    same("/org/freedesktop/login1/session/_31", include_str!("../interfaces/testdata/login1-session.xml"));
    same("/org/freedesktop/login1/user/_1000", include_str!("../interfaces/testdata/login1-user.xml"));
    same("/org/freedesktop/login1/seat/seat0", include_str!("../interfaces/testdata/login1-seat.xml"));
    same("/org/freedesktop/LogControl1", include_str!("../interfaces/testdata/login1-logcontrol.xml"));
}

#[test]
fn the_comparison_sees_differences() {
    let one = r#"<node><arg type="s" name="a b"/></node>"#;
    assert_eq!(tags(one), tags("<node>\n <arg name=\"a b\"  type=\"s\">\n </arg>\n</node>\n"));
    for other in [
        r#"<node><arg type="s" name="ab"/></node>"#,
        r#"<node><arg type="u" name="a b"/></node>"#,
        r#"<node><arg type="s" name="a b"/><arg type="s" name="a b"/></node>"#,
        r#"<node><arg type="s" name="a b"><x/></arg></node>"#,
    ] {
        assert_ne!(tags(one), tags(other));
    }
}

#[test]
fn a_walk_from_the_root_finds_every_object() {
    let mut found = Vec::new();
    let mut open = vec!["/".to_owned()];
    while let Some(path) = open.pop() {
        let object = path::parse(&path).unwrap_or_else(|| panic!("{path} is shown but not known"));
        let labels: Vec<&str> = match path.as_str() {
            "/org/freedesktop/login1/session" => vec!["_31", "c1", "self", "auto"],
            "/org/freedesktop/login1/user" => vec!["_1000", "self"],
            "/org/freedesktop/login1/seat" => vec!["seat0"],
            _ => fixed_children(&object, true).to_vec(),
        };
        let xml = document(&object, labels.iter().copied());
        let shown: Vec<_> = tags(&xml).into_iter().filter(|tag| tag[0] == "node" && tag.len() > 1).collect();
        assert_eq!(shown.len(), labels.len(), "{path}: {xml}");
        let parent = path.trim_end_matches('/');
        open.extend(labels.iter().map(|label| format!("{parent}/{label}")));
        found.push(object);
    }
    assert_eq!(found.len(), 16);
    for object in [Object::Manager, Object::LogControl, Object::Systemd1] {
        assert!(found.contains(&object), "{object:?}");
    }
}
