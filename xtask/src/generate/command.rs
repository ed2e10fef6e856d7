//! What clap knows of a command line, as sections of a manual page.

use clap::{Arg, ArgAction, Command};

use super::roff::Page;

/// OPTIONS, but those that are hidden.
pub(super) fn options(page: &mut Page, command: &Command) {
    for option in visible(command) {
        page.entry(&tag(option), &sentence(&help(option)));
    }
}

/// The options of a command that a manual shows, in their order.
pub(super) fn visible(command: &Command) -> Vec<&Arg> {
    command.get_arguments().filter(|arg| !arg.is_positional() && !arg.is_hide_set()).collect()
}

/// `-s, --signal=SIGNAL`.
pub(super) fn tag(option: &Arg) -> String {
    let value = match option.get_value_names() {
        Some([name, ..]) if option.get_action().takes_values() => Some(name.as_str()),
        _ => None,
    };
    let short = option.get_short().map(|short| format!("-{short}"));
    let long = option.get_long().map(|long| format!("--{long}"));
    match (short, long, value) {
        (short, Some(long), value) => {
            let short = short.map(|short| format!("*{short}*, ")).unwrap_or_default();
            let value = value.map(|value| format!("*=*_{value}_"));
            format!("{short}*{long}*{}", value.unwrap_or_default()).replace("**=", "=")
        }
        (Some(short), None, Some(value)) => format!("*{short}* _{value}_"),
        (Some(short), None, None) => format!("*{short}*"),
        (None, None, _) => option.get_id().to_string(),
    }
}

/// What an option does, its values and its default.
pub(super) fn help(option: &Arg) -> String {
    let help = option.get_long_help().or(option.get_help()).map(ToString::to_string).unwrap_or_default();
    let takes = option.get_action().takes_values() && !matches!(option.get_action(), ArgAction::SetTrue);
    let values: Vec<_> = option
        .get_possible_values()
        .iter()
        .filter(|_| takes)
        .map(|value| value.get_name().to_owned())
        .collect();
    let default: Vec<_> =
        option.get_default_values().iter().map(|value| value.display().to_string()).collect();
    let values = if values.is_empty() { String::new() } else { format!(": {}", values.join(", ")) };
    let default = if default.is_empty() || !takes {
        String::new()
    } else {
        format!(" (default: {})", default.join(" "))
    };
    format!("{help}{values}{default}")
}

/// The verb with its arguments: `show-user [USER...]`.
pub(super) fn verb_tag(verb: &Command) -> String {
    let mut tag = format!("*{}*", verb.get_name());
    for argument in verb.get_positionals() {
        let name =
            argument.get_value_names().and_then(|names| names.first()).map_or("", |name| name.as_str());
        let many =
            if argument.get_num_args().is_some_and(|range| range.max_values() > 1) { "..." } else { "" };
        tag += &match argument.is_required_set() {
            true => format!(" _{name}_{many}"),
            false => format!(" [_{name}_{many}]"),
        };
    }
    tag
}

/// What a verb does, and what its arguments are.
pub(super) fn verb_text(verb: &Command) -> String {
    let about = verb.get_long_about().or(verb.get_about()).map(ToString::to_string).unwrap_or_default();
    let arguments: Vec<String> = verb
        .get_positionals()
        .filter_map(|argument| argument.get_help().map(ToString::to_string))
        .filter(|help| help.contains(';'))
        .map(|help| sentence(&help))
        .collect();
    [vec![sentence(&about)], arguments].concat().join(" ")
}

/// A text that ends as a sentence does.
pub(super) fn sentence(text: &str) -> String {
    let text = text.trim();
    if text.is_empty() || text.ends_with(['.', '?', '!']) { text.to_owned() } else { format!("{text}.") }
}
