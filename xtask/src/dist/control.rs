//! The control data of the Debian package: packaging/debian/control with what only the build knows put in.

use std::collections::BTreeMap;

use anyhow::{Result, bail};

/// Puts values in for `${name}`.
///
/// # Errors
/// A name that has no value.
pub(super) fn filled(template: &str, values: &BTreeMap<&str, String>) -> Result<String> {
    let mut text = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once("${") {
        let Some((name, after)) = after.split_once('}') else {
            bail!("a ${{ without a }} in the control file")
        };
        let Some(value) = values.get(name) else { bail!("no value for ${{{name}}} in the control file") };
        text += before;
        text += value;
        rest = after;
    }
    Ok(text + rest)
}

/// Version and maintainer as the Debian changelog says them.
///
/// # Errors
/// It does not begin as one does.
pub(super) fn from_changelog(text: &str) -> Result<(String, String)> {
    let version =
        text.strip_prefix("usher (").and_then(|rest| rest.split_once(')')).map(|(version, _)| version);
    let trailer = text.lines().find_map(|line| line.strip_prefix(" -- "));
    let maintainer = trailer.and_then(|line| line.split_once("  ")).map(|(who, _)| who);
    match (version, maintainer) {
        (Some(version), Some(maintainer)) => Ok((version.to_owned(), maintainer.to_owned())),
        _ => bail!(
            "the Debian changelog does not begin with `usher (VERSION)` and a line ` -- NAME <MAIL>  DATE`"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_has_a_value() {
        let values = BTreeMap::from([("a", "1".to_owned()), ("b:C", "2".to_owned())]);
        assert_eq!(filled("x: ${a}, ${b:C}\n", &values).unwrap(), "x: 1, 2\n");
        assert!(filled("${c}", &values).is_err() && filled("${a", &values).is_err());
    }

    #[test]
    fn the_changelog_is_of_this_version() {
        let (version, maintainer) =
            from_changelog(include_str!("../../../packaging/debian/changelog")).unwrap();
        let (upstream, revision) = version.rsplit_once('-').unwrap();
        assert_eq!(upstream, super::super::VERSION);
        assert!(revision.parse::<u32>().is_ok() && maintainer.ends_with('>'), "{version} {maintainer}");
    }
}
