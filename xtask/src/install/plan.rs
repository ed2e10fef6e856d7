//! What an installation has to do: pure decisions over what is to be there, what is there, and what the last
//! installation has written down.

use std::path::{Path, PathBuf};

use super::manifest::{Line, What, digest};
use super::table::{Item, Kind, Rival};
use super::target::Found;

/// One step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    /// Write the file.
    Put { path: PathBuf, bytes: Vec<u8>, mode: u32 },
    /// Make the link.
    Link { path: PathBuf, target: PathBuf },
    /// It is there already.
    Keep { path: PathBuf },
    /// Somebody else's file says the same.
    Theirs { path: PathBuf },
    /// The administrator has changed this file: what is new goes beside it.
    Beside { path: PathBuf, new: PathBuf, bytes: Vec<u8>, mode: u32 },
}

/// What is to be done for one file, and the lines of the manifest that follow.
///
/// # Errors
/// What is in the way.
pub(crate) fn step(
    item: &Item,
    bytes: Vec<u8>,
    found: &Found,
    mode_now: Option<u32>,
    last: &[Line],
) -> Result<(Step, Vec<Line>), String> {
    let path = item.target.clone();
    let line = |path: &Path, what| vec![Line { path: path.to_owned(), what }];
    let ours = last.iter().find(|line| line.path == path).map(|line| &line.what);
    if item.kind == Kind::Link {
        let lines = line(&path, What::Link(item.source.display().to_string()));
        return match found {
            Found::Link(target) if *target == item.source => Ok((Step::Keep { path }, lines)),
            Found::Nothing => Ok((Step::Link { path, target: item.source.clone() }, lines)),
            Found::Link(target) if ours == Some(&What::Link(target.display().to_string())) => {
                Ok((Step::Link { path, target: item.source.clone() }, lines))
            }
            _ if item.rival == Rival::Equal => Ok((Step::Theirs { path }, Vec::new())),
            _ => Err(in_the_way(&path)),
        };
    }
    let lines = line(&path, What::of_file(item.kind, &bytes));
    let put = |path, bytes| Step::Put { path, bytes, mode: item.mode };
    match (found, ours) {
        (Found::Nothing, _) => Ok((put(path, bytes), lines)),
        // One of nobody's that is the same may still be a package's.
        (Found::File(now), None)
            if *now == bytes && item.kind != Kind::Configuration && item.rival == Rival::Equal =>
        {
            Ok((Step::Theirs { path }, Vec::new()))
        }
        (Found::File(now), _) if *now == bytes && mode_now == Some(item.mode) => {
            Ok((Step::Keep { path }, lines))
        }
        (Found::File(now), _) if item.kind == Kind::Configuration => {
            let unchanged = match ours {
                Some(What::Configuration(installed)) => *installed == digest(now),
                _ => false,
            };
            if unchanged {
                return Ok((put(path, bytes), lines));
            }
            if *now == bytes {
                return Ok((Step::Keep { path }, lines));
            }
            let new = beside(&path);
            // The digest of what is not there never fits: this file stays, whatever is done.
            let mut lines = lines;
            lines.push(Line { path: new.clone(), what: What::of_file(Kind::Data, &bytes) });
            Ok((Step::Beside { path, new, bytes, mode: item.mode }, lines))
        }
        (Found::File(_), Some(What::File(_))) => Ok((put(path, bytes), lines)),
        (Found::File(now), None) if *now == bytes => Ok((put(path, bytes), lines)),
        (_, None) if item.rival == Rival::Equal && *found != Found::Other => {
            Ok((Step::Theirs { path }, Vec::new()))
        }
        _ => Err(in_the_way(&path)),
    }
}

/// Where the new text of a changed configuration goes.
fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    name.into()
}

fn in_the_way(path: &Path) -> String {
    format!("{} is there and not from here: another package or hand has put it there", path.display())
}

/// What the last installation had and this one has not. Configuration stays for the administrator.
pub(crate) fn leftovers<'a>(last: &'a [Line], now: &[Line]) -> Vec<&'a Line> {
    let gone = |line: &&Line| !now.iter().any(|new| new.path == line.path);
    last.iter().filter(gone).filter(|line| matches!(line.what, What::File(_) | What::Link(_))).collect()
}

/// Whether a line's file is still as it was installed, so that it may be removed.
pub(crate) fn untouched(line: &Line, found: &Found) -> bool {
    match (&line.what, found) {
        (What::File(installed) | What::Configuration(installed), Found::File(now)) => {
            *installed == digest(now)
        }
        (What::Link(installed), Found::Link(now)) => Path::new(installed) == now,
        (What::Directory, _) | (_, Found::Nothing) => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(kind: Kind, rival: Rival) -> Item {
        let source = if kind == Kind::Link { "usherctl" } else { "/src" };
        Item { source: source.into(), target: "/x/y".into(), mode: 0o644, kind, rival, rewrite: None }
    }

    fn last(what: What) -> Vec<Line> {
        vec![Line { path: "/x/y".into(), what }]
    }

    fn decide(item: &Item, found: &Found, last: &[Line]) -> Result<(Step, Vec<Line>), String> {
        step(item, b"new".to_vec(), found, Some(0o644), last)
    }

    fn file(text: &str) -> Found {
        Found::File(text.as_bytes().to_vec())
    }

    #[test]
    fn a_file_that_is_not_ours_is_never_overwritten() {
        let data = item(Kind::Data, Rival::Nobody);
        assert!(decide(&data, &file("theirs"), &[]).unwrap_err().contains("/x/y is there and not from here"));
        assert!(decide(&data, &Found::Other, &last(What::File("0".into()))).is_err());
        let (step, lines) = decide(&item(Kind::Data, Rival::Equal), &file("theirs"), &[]).unwrap();
        assert!(matches!(step, Step::Theirs { .. }) && lines.is_empty());
        // Not even if it is the same: it is not ours to remove one day.
        let (step, lines) = decide(&item(Kind::Data, Rival::Equal), &file("new"), &[]).unwrap();
        assert!(matches!(step, Step::Theirs { .. }) && lines.is_empty());
    }

    #[test]
    fn our_own_file_is_replaced_and_a_second_time_kept() {
        let data = item(Kind::Data, Rival::Nobody);
        let ours = last(What::of_file(Kind::Data, b"old"));
        assert!(matches!(decide(&data, &file("old"), &ours).unwrap().0, Step::Put { .. }));
        let (step, lines) = decide(&data, &Found::Nothing, &[]).unwrap();
        assert!(matches!(step, Step::Put { .. }));
        assert!(
            matches!(decide(&data, &file("new"), &lines).unwrap(), (Step::Keep { .. }, again) if again == lines)
        );
    }

    #[test]
    fn changed_configuration_stays() {
        let conf = item(Kind::Configuration, Rival::Nobody);
        let ours = last(What::of_file(Kind::Configuration, b"old"));
        assert!(
            matches!(decide(&conf, &file("old"), &ours).unwrap().0, Step::Put { .. }),
            "nobody has changed it"
        );
        for last in [&ours[..], &[]] {
            let (step, lines) = decide(&conf, &file("changed"), last).unwrap();
            assert!(matches!(&step, Step::Beside { new, .. } if new == Path::new("/x/y.new")), "{step:?}");
            assert!(!untouched(&lines[0], &file("changed")), "nor is it removed");
            assert!(untouched(&lines[1], &file("new")));
        }
        assert!(matches!(decide(&conf, &file("new"), &[]).unwrap().0, Step::Keep { .. }));
    }

    #[test]
    fn links() {
        let link = item(Kind::Link, Rival::Equal);
        let (step, lines) = decide(&link, &Found::Nothing, &[]).unwrap();
        assert!(matches!(step, Step::Link { .. }));
        let there = Found::Link("usherctl".into());
        assert!(matches!(decide(&link, &there, &lines).unwrap().0, Step::Keep { .. }));
        assert!(untouched(&lines[0], &there) && !untouched(&lines[0], &Found::Link("other".into())));
        assert!(matches!(decide(&link, &file("systemd's"), &[]).unwrap().0, Step::Theirs { .. }));
    }

    #[test]
    fn what_is_no_longer_installed_goes_and_configuration_does_not() {
        let line = |path: &str, what| Line { path: path.into(), what };
        let old = [
            line("/a", What::File("1".into())),
            line("/b", What::File("1".into())),
            line("/etc/c", What::Configuration("1".into())),
            line("/d", What::Directory),
        ];
        assert_eq!(leftovers(&old, &[line("/b", What::File("2".into()))]), [&old[0]]);
    }
}
