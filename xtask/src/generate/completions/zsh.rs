//! zsh: `_arguments`.

use super::{Completed, Value, about, spellings, takes_value, value_of};

pub(super) fn files(usherctl: &Completed) -> Vec<(&'static str, String)> {
    vec![("zsh/_usherctl", script(usherctl)), ("zsh/_loginctl", LOGINCTL.to_owned())]
}

/// Only where usherctl is loginctl.
const LOGINCTL: &str = "\
#compdef loginctl
# zsh completion for loginctl where it is usherctl. Made by `cargo xtask generate`.
autoload -Uz _usherctl
_usherctl \"$@\"
";

fn script(usherctl: &Completed) -> String {
    let mut options = String::new();
    for option in usherctl.options() {
        let spellings = spellings(option);
        let repeats = option.get_action().clone();
        let exclusive = match repeats {
            clap::ArgAction::Append => "'*'".to_owned(),
            _ => format!("'({})'", spellings.join(" ")),
        };
        let with_value = takes_value(option);
        let forms: Vec<_> = spellings
            .iter()
            .map(|spelling| match (spelling.starts_with("--"), with_value) {
                (true, true) => format!("{spelling}="),
                (false, true) => format!("{spelling}+"),
                _ => spelling.clone(),
            })
            .collect();
        let forms = if forms.len() == 1 { forms.concat() } else { format!("{{{}}}", forms.join(",")) };
        let action = match (with_value, value_of(option)) {
            (false, _) => String::new(),
            (_, Value::Words(words)) => format!(":value:({})", words.join(" ")),
            (_, Value::Signal) => ":signal:_signals".to_owned(),
            (_, Value::File) => ":file:_files".to_owned(),
            _ => ":value: ".to_owned(),
        };
        options += &format!(
            "        {exclusive}{forms}{} \\\n",
            quoted(&format!("[{}]{action}", bracketed(&about(option))))
        );
    }
    let mut verbs = String::new();
    for (verb, about, _) in usherctl.verbs() {
        verbs += &format!("                {}\n", quoted(&format!("{verb}:{about}")));
    }
    let mut targets = String::new();
    for (value, fill) in [
        (Value::Session, "_usherctl_column 1 list-sessions session self auto"),
        (Value::User, "_usherctl_column 2 list-users user"),
        (Value::Seat, "_usherctl_column 1 list-seats seat self auto"),
    ] {
        // A user that is to linger need not be logged in.
        let (linger, others): (Vec<_>, Vec<_>) =
            usherctl.verbs_on(&value).into_iter().partition(|verb| *verb == "enable-linger");
        for (verbs, fill) in [(others, fill), (linger, "_users")] {
            if !verbs.is_empty() {
                targets += &format!(
                    "                ({})\n                    {fill} && ret=0\n                    ;;\n",
                    verbs.join("|")
                );
            }
        }
    }
    format!(
        r#"#compdef usherctl
# zsh completion for usherctl. Made by `cargo xtask generate`.

# One column of a list, with the line as its description, and further words.
_usherctl_column() {{
    local column=$1 list=$2 what=$3 line
    local -a words found
    shift 3
    found=("$@")
    for line in "${{(@f)$(_call_program $what usherctl $list --no-legend --no-pager 2>/dev/null)}}"; do
        words=(${{=line}})
        (( $#words )) && found+=("${{words[column]//:/\\:}}:${{(j: :)words}}")
    done
    _describe $what found
}}

_usherctl() {{
    local curcontext=$curcontext state line ret=1
    local -A opt_args
    local -a verbs
    _arguments -s -C \
{options}        '1: :->verb' \
        '*: :->target' && ret=0
    case $state in
        (verb)
            verbs=(
{verbs}            )
            _describe command verbs && ret=0
            ;;
        (target)
            case $line[1] in
{targets}            esac
            ;;
    esac
    return ret
}}

_usherctl "$@"
"#
    )
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

/// A text between square brackets.
fn bracketed(text: &str) -> String {
    text.replace('\\', "\\\\").replace('[', "\\[").replace(']', "\\]").replace(':', "\\:")
}
