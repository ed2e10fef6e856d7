//! The `%` of a definition or a unit: what stands for something that differs from user to user (systemd.unit(5),
//! "Specifiers"). Only what is known without asking the user database.

/// Whose manager it is.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// The user's name: `%u`.
    pub user: &'a str,
    /// The user's number: `%U`.
    pub uid: u32,
    /// The home directory: `%h`.
    pub home: &'a str,
    /// The runtime directory: `%t`.
    pub runtime_dir: &'a str,
    /// The login shell: `%s`.
    pub shell: &'a str,
}

/// Which specifiers there are beside those of a [`Subject`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    /// A manager's definition: `%r` is the number of the readiness descriptor.
    Definition,
    /// A drop-in of `user@UID.service` or `user-UID.slice`: `%i` is its instance, `%n` its name.
    Unit,
}

/// The number of the descriptor at which a manager says that it is ready: the first after the standard three.
pub const READY_FD: u32 = 3;

/// The text with everything put in. `Err` is the specifier that does not exist.
pub(super) fn expand(text: &str, subject: &Subject<'_>, dialect: Dialect) -> Result<String, String> {
    let mut expanded = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        // Nothing that becomes an argument or a variable can have one.
        if c == '\0' {
            return Err("NUL".to_owned());
        }
        if c != '%' {
            expanded.push(c);
            continue;
        }
        match (chars.next(), dialect) {
            (Some('%'), _) => expanded.push('%'),
            (Some('u'), _) => expanded.push_str(subject.user),
            (Some('U'), _) => expanded.push_str(&subject.uid.to_string()),
            (Some('h'), _) => expanded.push_str(subject.home),
            (Some('t'), _) => expanded.push_str(subject.runtime_dir),
            (Some('s'), _) => expanded.push_str(subject.shell),
            (Some('r'), Dialect::Definition) => expanded.push_str(&READY_FD.to_string()),
            (Some('i' | 'I'), Dialect::Unit) => expanded.push_str(&subject.uid.to_string()),
            (Some('n'), Dialect::Unit) => expanded.push_str(&format!("user@{}.service", subject.uid)),
            (other, _) => return Err(other.map_or("%".to_owned(), |c| format!("%{c}"))),
        }
    }
    Ok(expanded)
}

/// Somebody, to try a text with.
pub(super) const ANYBODY: Subject<'static> =
    Subject { user: "user", uid: 1000, home: "/home/user", runtime_dir: "/run/user/1000", shell: "/bin/sh" };

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_stands_for_something() {
        let given = |text, dialect| expand(text, &ANYBODY, dialect);
        let all = "%u %U %h %t %s 100%%";
        let expected = "user 1000 /home/user /run/user/1000 /bin/sh 100%".to_owned();
        assert_eq!(given(all, Dialect::Definition), Ok(expected.clone()));
        assert_eq!(given(all, Dialect::Unit), Ok(expected));
        assert_eq!(given("-d%r", Dialect::Definition), Ok("-d3".to_owned()));
        assert_eq!(given("%r", Dialect::Unit), Err("%r".to_owned()));
        assert_eq!(given("%i %n", Dialect::Unit), Ok("1000 user@1000.service".to_owned()));
        assert_eq!(given("a\0b", Dialect::Unit), Err("NUL".to_owned()));
        assert_eq!(given("a%", Dialect::Unit), Err("%".to_owned()));
        assert_eq!(given("%\u{e4}", Dialect::Unit), Err("%\u{e4}".to_owned()));
    }
}
