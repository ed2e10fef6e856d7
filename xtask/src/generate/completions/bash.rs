//! bash: `complete -F`.

use super::{Completed, Value, spellings, takes_value, value_of};

pub(super) fn files(usherctl: &Completed) -> Vec<(&'static str, String)> {
    vec![("bash/usherctl", script(usherctl)), ("bash/loginctl", LOGINCTL.to_owned())]
}

/// Only where usherctl is loginctl.
const LOGINCTL: &str = "\
# bash completion for loginctl where it is usherctl. Made by `cargo xtask generate`.
. \"${BASH_SOURCE[0]%/*}/usherctl\"
complete -F _usherctl loginctl
";

fn script(usherctl: &Completed) -> String {
    let options: Vec<_> = usherctl
        .options()
        .into_iter()
        .flat_map(|option| {
            let equals = takes_value(option);
            spellings(option).into_iter().map(move |spelling| match spelling.starts_with("--") && equals {
                true => format!("{spelling}="),
                false => spelling,
            })
        })
        .collect();
    let verbs: Vec<_> = usherctl.verbs().iter().map(|(name, ..)| (*name).to_owned()).collect();
    let mut values = String::new();
    let mut takers = Vec::new();
    for option in usherctl.options().into_iter().filter(|option| takes_value(option)) {
        takers.extend(spellings(option));
        let fill = match value_of(option) {
            Value::Words(words) => format!("_usherctl_words \"$cur\" {}", words.join(" ")),
            Value::Signal => "_usherctl_words \"$cur\" $(compgen -A signal | sed -n 's/^SIG//p')".to_owned(),
            Value::File => "compopt -o default".to_owned(),
            _ => ":".to_owned(),
        };
        values += &format!(
            "        {})\n            {fill}\n            return\n            ;;\n",
            spellings(option).join(" | ")
        );
    }
    let mut targets = String::new();
    for (value, fill) in [
        (Value::Session, "_usherctl_words \"$cur\" self auto $(_usherctl_column 1 list-sessions)"),
        (Value::User, "_usherctl_words \"$cur\" $(_usherctl_column 2 list-users)"),
        (Value::Seat, "_usherctl_words \"$cur\" self auto $(_usherctl_column 1 list-seats)"),
    ] {
        // A user that is to linger need not be logged in.
        let (linger, others): (Vec<_>, Vec<_>) =
            usherctl.verbs_on(&value).into_iter().partition(|verb| *verb == "enable-linger");
        for (verbs, fill) in [(others, fill), (linger, "COMPREPLY=($(compgen -u -- \"$cur\"))")] {
            if !verbs.is_empty() {
                targets += &format!("        {})\n            {fill}\n            ;;\n", verbs.join(" | "));
            }
        }
    }
    format!(
        r#"# bash completion for usherctl. Made by `cargo xtask generate`.
# What is a word for completion is one for bash.
# shellcheck disable=SC2046,SC2207

# The words that begin like the first one.
_usherctl_words() {{
    local cur=$1
    shift
    COMPREPLY=($(compgen -W "$*" -- "$cur"))
}}

# One column of a list.
_usherctl_column() {{
    local column=$1 line
    usherctl "$2" --no-legend --no-pager 2>/dev/null | while read -ra line; do
        printf '%s\n' "${{line[column - 1]}}"
    done
}}

_usherctl() {{
    local cur=${{COMP_WORDS[COMP_CWORD]}} prev=${{COMP_WORDS[COMP_CWORD - 1]}} verb='' i
    COMPREPLY=()
    # bash takes --option=value for three words.
    if [[ $cur == = ]]; then
        cur=''
    elif [[ $prev == = && $COMP_CWORD -gt 1 ]]; then
        prev=${{COMP_WORDS[COMP_CWORD - 2]}}
    fi
    case $prev in
{values}    esac
    if [[ $cur == -* ]]; then
        _usherctl_words "$cur" {options}
        [[ ${{COMPREPLY[0]-}} != *= ]] || compopt -o nospace 2>/dev/null
        return
    fi
    for ((i = 1; i < COMP_CWORD; i++)); do
        case ${{COMP_WORDS[i]}} in
            {takers})
                [[ ${{COMP_WORDS[i + 1]}} != = ]] || ((i++))
                ((i++))
                ;;
            -*) ;;
            *)
                verb=${{COMP_WORDS[i]}}
                break
                ;;
        esac
    done
    case $verb in
        '')
            _usherctl_words "$cur" {verbs}
            ;;
{targets}    esac
}}

complete -F _usherctl usherctl
"#,
        options = options.join(" "),
        takers = takers.join(" | "),
        verbs = verbs.join(" "),
    )
}
