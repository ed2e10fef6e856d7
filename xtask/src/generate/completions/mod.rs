//! Completions of usherctl for bash, zsh and fish, made of its command line. Sessions, users and seats are asked of
//! usherctl itself when they are wanted. clap_complete is not used: it knows nothing of options that stand anywhere and of
//! values that only the running program knows, and writes 180 kB for what fits into a few.

mod bash;
mod fish;
mod zsh;

use clap::{Arg, Command};

use super::command::visible;

/// Names and texts.
pub(super) fn all() -> Vec<(String, String)> {
    let usherctl = Completed::new();
    let mut files = bash::files(&usherctl);
    files.extend(zsh::files(&usherctl));
    files.extend(fish::files(&usherctl));
    files.into_iter().map(|(name, text)| (name.to_owned(), text)).collect()
}

/// The command line in the words of a shell.
struct Completed {
    command: Command,
}

/// What an argument or the value of an option is.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Value {
    Session,
    User,
    Seat,
    Signal,
    File,
    /// One of these.
    Words(Vec<String>),
    /// Nobody knows.
    Other,
}

impl Completed {
    fn new() -> Self {
        let mut command = usher_client::cli::command();
        command.build();
        Self { command }
    }

    fn options(&self) -> Vec<&Arg> {
        visible(&self.command)
    }

    /// Verbs, what they do, and what they are done to.
    fn verbs(&self) -> Vec<(&str, String, Option<Value>)> {
        let verbs = self.command.get_subcommands().filter(|verb| !verb.is_hide_set());
        verbs
            .map(|verb| {
                let about = verb.get_about().map(ToString::to_string).unwrap_or_default();
                (verb.get_name(), about, verb.get_positionals().next().map(value_of))
            })
            .collect()
    }

    /// The verbs that are done to such things, in their order.
    fn verbs_on(&self, value: &Value) -> Vec<&str> {
        let verbs = self.verbs();
        verbs.into_iter().filter(|(.., on)| on.as_ref() == Some(value)).map(|(name, ..)| name).collect()
    }
}

/// What a value is, by the name that it has in the help.
fn value_of(argument: &Arg) -> Value {
    let words: Vec<_> =
        argument.get_possible_values().iter().map(|value| value.get_name().to_owned()).collect();
    if !words.is_empty() {
        return Value::Words(words);
    }
    match argument.get_value_names().and_then(|names| names.first()).map(|name| name.as_str()) {
        Some("ID") => Value::Session,
        Some("USER") => Value::User,
        Some("SEAT") => Value::Seat,
        Some("SIGNAL") => Value::Signal,
        Some("PATH" | "FILE") => Value::File,
        _ => Value::Other,
    }
}

/// How an option is typed, short forms first.
fn spellings(option: &Arg) -> Vec<String> {
    let short = option.get_short().map(|short| format!("-{short}"));
    let long = option.get_long().map(|long| format!("--{long}"));
    short.into_iter().chain(long).collect()
}

fn takes_value(option: &Arg) -> bool {
    option.get_action().takes_values()
}

fn about(option: &Arg) -> String {
    option.get_help().map(ToString::to_string).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;
    use std::process::Command;

    use super::*;

    /// A usherctl that has lists, and nothing else.
    const LISTS: &str = "#!/bin/sh\ncase $1 in\n\
        list-sessions) echo ' c19 1010 u10 seat0 518 user - yes 17ms ago'; echo '  c5 1002 u2 - 111 user - no -' ;;\n\
        list-users) echo '1002 ursula no active'; echo ' 200 bob yes lingering' ;;\n\
        list-seats) echo seat0 ;;\n\
        *) exit 1 ;;\nesac\n";

    /// Runs a shell with the completions in a directory, `$1`, and that usherctl. `None`: there is no such shell here.
    fn run(shell: &str, script: &str) -> Option<Vec<String>> {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        fs::write(at("usherctl"), LISTS).unwrap();
        fs::set_permissions(at("usherctl"), fs::Permissions::from_mode(0o755)).unwrap();
        for (name, text) in all() {
            let place = at("completions").join(name);
            fs::create_dir_all(place.parent().unwrap()).unwrap();
            fs::write(place, text).unwrap();
        }
        let path = format!("{}:{}", directory.path().display(), std::env::var("PATH").unwrap());
        let mut command = Command::new(shell);
        command.args(["-c", script]);
        if shell != "fish" {
            command.arg(shell);
        }
        let output =
            match command.arg(at("completions")).env("PATH", path).env("HOME", directory.path()).output() {
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                    println!("SKIPPED: no {shell} here");
                    return None;
                }
                output => output.unwrap(),
            };
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && errors.is_empty(), "{shell}: {script}\n{errors}");
        let text = String::from_utf8(output.stdout).unwrap();
        let mut lines: Vec<_> = text.lines().map(|line| line.trim().to_owned()).collect();
        lines.sort();
        Some(lines)
    }

    /// What bash offers for the last of these words, of which the first is the command.
    fn bash(words: &[&str]) -> Vec<String> {
        let file = words[0];
        let words: Vec<_> = words.iter().map(|word| format!("'{word}'")).collect();
        let script = format!(
            ". \"$1/bash/{file}\"; COMP_WORDS=({}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))\n\
             complete -p {file} > /dev/null || exit 1\n\
             compopt() {{ :; }}; _usherctl; for reply in \"${{COMPREPLY[@]}}\"; do echo \"$reply\"; done",
            words.join(" ")
        );
        run("bash", &script).unwrap_or_else(|| panic!("no bash"))
    }

    #[test]
    fn bash_completes_verbs_and_what_they_are_done_to() {
        assert_eq!(bash(&["usherctl", "list-"]), ["list-seats", "list-sessions", "list-users"]);
        assert_eq!(bash(&["loginctl", "list-u"]), ["list-users"]);
        assert_eq!(bash(&["usherctl", "show-session", ""]), ["auto", "c19", "c5", "self"]);
        assert_eq!(bash(&["usherctl", "terminate-session", "c19", "c5", "c"]), ["c19", "c5"]);
        assert_eq!(bash(&["usherctl", "user-status", ""]), ["bob", "ursula"]);
        assert_eq!(bash(&["usherctl", "seat-status", "se"]), ["seat0", "self"]);
        assert_eq!(bash(&["usherctl", "list-users", ""]), [""; 0]);
        assert!(
            bash(&["usherctl", "enable-linger", "roo"]).contains(&"root".to_owned()),
            "not only who is logged in"
        );
    }

    #[test]
    fn bash_completes_options_wherever_they_stand() {
        assert_eq!(bash(&["usherctl", "--no-l"]), ["--no-legend"]);
        assert_eq!(bash(&["usherctl", "list-users", "--js"]), ["--json="]);
        assert_eq!(bash(&["usherctl", "--json", "=", "s"]), ["short"]);
        assert_eq!(bash(&["usherctl", "--json", "="]), ["off", "pretty", "short"]);
        assert_eq!(bash(&["usherctl", "-s", "TER"]), ["TERM"]);
        assert_eq!(bash(&["usherctl", "-s", "TERM", "kill-u"]), ["kill-user"]);
        assert_eq!(bash(&["usherctl", "--json", "=", "short", "list-se"]), ["list-seats", "list-sessions"]);
        assert_eq!(bash(&["usherctl", "--kill-whom", "=", "leader", "kill-session", "c1"]), ["c19"]);
        assert_eq!(bash(&["usherctl", "-p", ""]), [""; 0]);
    }

    #[test]
    fn fish_completes() {
        let fish = |line: &str| {
            let script = format!("set -p fish_complete_path $argv[1]/fish; complete -C '{line}'");
            let lines = run("fish", &script)?;
            Some(lines.iter().map(|line| line.split('\t').next().unwrap().to_owned()).collect::<Vec<_>>())
        };
        let Some(verbs) = fish("usherctl list-") else { return };
        assert_eq!(verbs, ["list-seats", "list-sessions", "list-users"]);
        assert_eq!(fish("usherctl -s TERM show-session c").unwrap(), ["c19", "c5"]);
        assert_eq!(fish("loginctl user-status ").unwrap(), ["bob", "ursula"]);
        assert_eq!(fish("usherctl --json=s").unwrap(), ["--json=short"]);
        assert_eq!(fish("usherctl list-users ").unwrap(), [""; 0]);
    }

    #[test]
    fn every_shell_reads_its_files() {
        for (shell, names) in [
            ("bash", &["usherctl", "loginctl"][..]),
            ("zsh", &["_usherctl", "_loginctl"]),
            ("fish", &["usherctl.fish", "loginctl.fish"]),
        ] {
            for name in names {
                let place = if shell == "fish" { "$argv[1]" } else { "$1" };
                let script = format!("{shell} -n \"{place}/{shell}/{name}\"");
                if let Some(lines) = run(shell, &script) {
                    assert_eq!(lines, [""; 0], "{shell} {name}");
                }
            }
        }
    }
}
