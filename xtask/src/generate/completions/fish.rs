//! fish: `complete`, with conditions.

use super::{Completed, Value, about, spellings, takes_value, value_of};

pub(super) fn files(usherctl: &Completed) -> Vec<(&'static str, String)> {
    vec![("fish/usherctl.fish", script(usherctl)), ("fish/loginctl.fish", LOGINCTL.to_owned())]
}

/// Only where usherctl is loginctl. It comes before fish's own.
const LOGINCTL: &str = "\
# fish completion for loginctl where it is usherctl. Made by `cargo xtask generate`.
complete -c loginctl -w usherctl
";

fn script(usherctl: &Completed) -> String {
    let takers: Vec<_> =
        usherctl.options().into_iter().filter(|option| takes_value(option)).flat_map(spellings).collect();
    let mut text = format!(
        r#"# fish completion for usherctl. Made by `cargo xtask generate`.

# The command on the line, if it is there already.
function __usherctl_verb
    set -l words (commandline -opc)
    set -l skip
    for word in $words[2..]
        if set -q skip[1]
            set -e skip[1]
            continue
        end
        switch $word
            case {takers}
                set skip 1
            case '-*'
            case '*'
                echo $word
                return 0
        end
    end
    return 1
end

function __usherctl_verb_is
    contains -- (__usherctl_verb; or echo -) $argv
end

# One column of a list, with the line as its description.
function __usherctl_column
    usherctl $argv[2] --no-legend --no-pager 2>/dev/null | string trim | while read -l line
        set -l words (string split -n ' ' -- $line)
        printf '%s\t%s\n' $words[$argv[1]] (string join ' ' -- $words)
    end
end

complete -c usherctl -f

"#,
        takers = takers.join(" ")
    );
    for option in usherctl.options() {
        let mut words = String::new();
        if let Some(short) = option.get_short() {
            words += &format!(" -s {short}");
        }
        if let Some(long) = option.get_long() {
            words += &format!(" -l {long}");
        }
        if takes_value(option) {
            words += " -x";
            words += &match value_of(option) {
                Value::Words(values) => format!(" -a {}", quoted(&values.join(" "))),
                Value::Signal => " -a '(kill -l | string split -n \" \")'".to_owned(),
                Value::File => " -F".to_owned(),
                _ => String::new(),
            };
        }
        text += &format!("complete -c usherctl{words} -d {}\n", quoted(&about(option)));
    }
    text.push('\n');
    for (verb, about, _) in usherctl.verbs() {
        text += &format!(
            "complete -c usherctl -n 'not __usherctl_verb >/dev/null' -a {verb} -d {}\n",
            quoted(&about)
        );
    }
    text.push('\n');
    for (value, fill) in [
        (Value::Session, "self auto (__usherctl_column 1 list-sessions)"),
        (Value::User, "(__usherctl_column 2 list-users)"),
        (Value::Seat, "self auto (__usherctl_column 1 list-seats)"),
    ] {
        // A user that is to linger need not be logged in.
        let (linger, others): (Vec<_>, Vec<_>) =
            usherctl.verbs_on(&value).into_iter().partition(|verb| *verb == "enable-linger");
        for (verbs, fill) in [(others, fill), (linger, "(__fish_complete_users)")] {
            if !verbs.is_empty() {
                let condition = format!("__usherctl_verb_is {}", verbs.join(" "));
                text += &format!("complete -c usherctl -n '{condition}' -a '{fill}'\n");
            }
        }
    }
    text
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"))
}
