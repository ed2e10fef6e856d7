//! The manual pages. What a program knows of itself is asked of it; the rest is written here.

use clap::Command;

use super::command::{help, options, sentence, tag, verb_tag, verb_text, visible};
use super::pam_arguments::ARGUMENTS;
use super::roff::Page;
use super::settings::{Block, Part, parts};

/// The day that the pages say they are of; changed by hand with what is written here.
const DATE: &str = "2026-11-26";

/// Names and texts.
pub(super) fn all() -> Vec<(String, String)> {
    [
        ("usherctl.1", usherctl()),
        ("usher.conf.5", usher_conf()),
        ("usherd.8", usherd()),
        ("pam_usher.8", pam_usher()),
        ("usher-pam-setup.8", pam_setup()),
    ]
    .map(|(name, text)| (name.to_owned(), text))
    .into()
}

fn usherctl() -> String {
    let mut command = usher_client::cli::command();
    command.build();
    let mut page = Page::new("usherctl", 1, DATE, "show and control login sessions, users and seats");
    page.heading("SYNOPSIS");
    page.synopsis("usherctl", "[_OPTIONS_...] [_COMMAND_ [_NAME_...]]");
    page.line_break();
    page.synopsis("loginctl", "[_OPTIONS_...] [_COMMAND_ [_NAME_...]]");
    page.heading("DESCRIPTION");
    page.text(
        "*usherctl* asks usherd(8) who is logged in and has it do something about it. It has the commands, options, columns, \
         property names and exit codes of systemd's *loginctl*, and answers to that name where it is installed under it. It \
         talks to usherd's own socket, so that it works without a D-Bus daemon.",
    );
    page.paragraph(
        "Without a command it lists sessions. Sessions are named by their IDs, or *self* (the caller's) or *auto* (that, or \
         else the display session of the calling user); seats by their names, or *self* or *auto* (the seat of that session); \
         users by name or number. Anybody may look; who may change what is for usherd and, where it runs, polkit(8) to say.",
    );
    page.heading("COMMANDS");
    for (heading, of) in [("Sessions", "session"), ("Users", "user"), ("Seats", "seat"), ("Others", "")] {
        let verbs: Vec<_> =
            command.get_subcommands().filter(|verb| noun(verb) == of && !verb.is_hide_set()).collect();
        if !verbs.is_empty() {
            page.subheading(heading);
        }
        for verb in verbs {
            page.entry(&verb_tag(verb), &verb_text(verb));
        }
    }
    page.heading("OPTIONS");
    page.text("Options may stand anywhere, and may be shortened as long as they are clear.");
    options(&mut page, &command);
    page.heading("EXIT STATUS");
    page.text("0 on success, 1 after any failure; what failed is said on standard error.");
    page.heading("DIFFERENCES FROM LOGINCTL");
    page.text(
        "There is no pager, no journal lines, and no remote or container operation. *attach* and *flush-devices* are refused: \
         there is one seat, seat0, with all devices.",
    );
    page.paragraph(
        "In addition, *--json* works with the status and show commands, too, as one object of all properties for each. \
         *show-user -p* also knows Manager, ManagerPID, Notice and ControlGroup, *show-session -p* also ControlGroup.",
    );
    page.heading("FILES");
    page.entry("*/run/usher/broker*", "Where usherd listens.");
    page.heading("EXAMPLES");
    page.text("Who is here, and why somebody still is:");
    page.example("$ usherctl\n$ usherctl user-status alice");
    page.paragraph("Have the services of a user run without a login:");
    page.example("$ usherctl enable-linger alice");
    page.paragraph("For scripts: one value, or everything as JSON:");
    page.example("$ usherctl show-session self -P State\n$ usherctl list-sessions --json=short");
    page.paragraph("Have the programs of session 3 read their configuration again:");
    page.example("$ usherctl kill-session -s HUP 3");
    see_also(&mut page, "usherd(8), usher.conf(5), pam_usher(8)");
    page.finished()
}

/// What a verb is about.
fn noun(verb: &Command) -> &'static str {
    let name = verb.get_name();
    match name {
        _ if name.contains("seat") => "seat",
        _ if name.contains("user") || name.contains("linger") => "user",
        _ if name.contains("session") || name == "activate" => "session",
        _ => "",
    }
}

fn usherd() -> String {
    let mut command = usher_broker::command();
    command.build();
    let mut page = Page::new("usherd", 8, DATE, "login and session broker");
    page.heading("SYNOPSIS");
    page.synopsis("usherd", "[_OPTIONS_...]");
    page.heading("DESCRIPTION");
    page.text(
        "*usherd* does what systemd-logind does, on any init. pam_usher(8) tells it of every login; it gives the login a \
         session and its user a runtime directory, */run/user/*_UID_, starts the user's service manager at the first login, \
         and takes all of it away some seconds after the last logout. Users with a linger flag have their managers from boot \
         on.",
    );
    let long = command.get_long_about().map(ToString::to_string).unwrap_or_default();
    // Its first paragraph is the one line of --help.
    page.paragraph(&sentence(long.split_once("\n\n").map_or("", |(_, rest)| rest)));
    page.paragraph(
        "usherctl(1) shows and controls what there is. Where there is a system bus, usherd is org.freedesktop.login1 on it, \
         for desktops, polkit(8) and whatever else knows logind. Logins need no bus.",
    );
    page.paragraph(
        "A usherd that crashes or is killed loses nothing: started again, it finds sessions, managers and directories as they \
         are. It refuses to run beside systemd-logind, elogind or turnstiled, which would take each other's sessions apart.",
    );
    page.heading("OPTIONS");
    options(&mut page, &command);
    page.heading("SIGNALS");
    page.entry("*SIGHUP*", "Read usher.conf(5) again. Runtime directories get their new size at once; managers that run stay as they are.");
    page.entry("*SIGTERM*, *SIGINT*", "End. Sessions, user managers and runtime directories stay.");
    page.heading("ENVIRONMENT");
    page.entry(
        "*USHERD_LOG*",
        "What is logged: *error*, *warn*, *info* (the default), *debug* or *trace*. While usherd runs, the property LogLevel of \
         org.freedesktop.LogControl1 on the system bus changes it.",
    );
    page.entry("*NOTIFY_SOCKET*", "Where to say that logins are served, by the protocol of sd_notify(3).");
    page.entry(
        "*GLIBC_TUNABLES*",
        "If it is not set, usherd sets it and executes itself once more, as the same process, so that memory of sessions that \
         are over goes back to the system. If it is set, it stays as it is.",
    );
    page.heading("FILES");
    for (path, text) in [
        ("/etc/usher/usher.conf", "The settings, see usher.conf(5)."),
        (
            "/etc/usher/managers, PREFIX/lib/usher/managers",
            "Definitions of user managers. What can be said in one stands in systemd.conf of the second directory.",
        ),
        (
            "/etc/usher/hooks.d, PREFIX/lib/usher/hooks.d",
            "Programs that are run as root when sessions and users come and go, with USHER_EVENT, USHER_UID and others in \
             their environment. Nobody waits for them.",
        ),
        ("PREFIX/lib/usher/usher-user-manager", "The program that becomes a user's manager."),
        ("/etc/pam.d/systemd-user", "The PAM service of users' managers."),
        ("/run/usher/broker, /run/usher/broker.root", "The sockets, for everybody and for root."),
        (
            "/run/systemd/sessions, users, seats",
            "What there is, for programs that use libsystemd's sd-login.",
        ),
        ("/var/lib/systemd/linger", "The linger flags."),
    ] {
        let paths: Vec<_> = path.split(", ").map(|path| format!("*{path}*")).collect();
        page.entry(&paths.join(", "), text);
    }
    page.paragraph("PREFIX is /usr where usherd is /usr/sbin/usherd, /usr/local where it is /usr/local/sbin/usherd, and so on.");
    page.heading("EXIT STATUS");
    page.text(
        "0 after a signal to end, 1 if usherd cannot run, 2 for a wrong command line. The log says why.",
    );
    page.paragraph("With *--check*: 0 if nothing is wrong in the configuration, else 1.");
    page.heading("EXAMPLES");
    page.text("Try a changed configuration before it counts:");
    page.example("# usherd --check && kill -HUP $(pidof usherd)");
    see_also(&mut page, "usherctl(1), usher.conf(5), pam_usher(8)");
    page.finished()
}

fn pam_usher() -> String {
    let mut page = Page::new("pam_usher", 8, DATE, "PAM module that registers logins with usherd");
    page.heading("SYNOPSIS");
    let words: Vec<_> = ARGUMENTS
        .iter()
        .map(|argument| match argument.value {
            Some(value) => format!("[*{}=*_{value}_]", argument.name),
            None => format!("[*{}*]", argument.name),
        })
        .collect();
    page.synopsis("pam_usher.so", &words.join(" "));
    page.heading("DESCRIPTION");
    page.text(
        "Tells usherd(8) of every login and logout. The login gets a session, a runtime directory and, where its class wants \
         one, a running service manager of its user; the variables below are set.",
    );
    page.paragraph(
        "It belongs into the session part of the PAM services through which people log in, after the modules that set up the \
         account (pam_unix, pam_limits, pam_env) and before those that need XDG_RUNTIME_DIR; in place of pam_systemd.so and \
         pam_elogind.so, not beside them. *optional* is the right control: a usherd that is missing, hangs or is broken never \
         keeps anybody from logging in, and never holds up a login for longer than its budget; what is wrong is said in the \
         system log. With *required*, logins that usherd refuses (because of too many sessions, say) fail.",
    );
    page.heading("OPTIONS");
    for argument in ARGUMENTS {
        let tag = match argument.value {
            Some(value) => format!("*{}=*_{value}_", argument.name),
            None => format!("*{}*", argument.name),
        };
        page.entry(&tag, argument.text);
    }
    page.paragraph("An argument that is not known is named in the system log and otherwise ignored.");
    page.heading("MODULE TYPES PROVIDED");
    page.text("Only *session*.");
    page.heading("ENVIRONMENT");
    page.text("These are read, from PAM's environment of the login, or else from the application's, and are above the arguments:");
    page.entry("*XDG_SESSION_CLASS*, *XDG_SESSION_TYPE*, *XDG_SESSION_DESKTOP*", "As the arguments.");
    page.entry(
        "*XDG_SEAT*, *XDG_VTNR*",
        "Seat and virtual terminal. Believed of display managers only, see DisplayManagers= in usher.conf(5).",
    );
    page.entry(
        "*XDG_SESSION_INCOMPLETE*",
        "With a true value, a session of class user is of class user-incomplete.",
    );
    page.paragraph("These are set for the login:");
    for (name, text) in [
        ("XDG_SESSION_ID", "The name of the session."),
        (
            "XDG_RUNTIME_DIR",
            "The user's runtime directory. Not set where it is not a directory of the user's own.",
        ),
        ("DBUS_SESSION_BUS_ADDRESS", "The user's bus in that directory, if it is there."),
        ("XDG_SESSION_TYPE", "The session's type."),
        ("XDG_SESSION_CLASS", "Its class."),
        ("XDG_SESSION_DESKTOP", "Its desktop, if there is one."),
        ("XDG_SEAT", "Its seat, if it has one."),
        ("XDG_VTNR", "Its virtual terminal, if it has one."),
    ] {
        page.entry(&format!("*{name}*"), text);
    }
    page.heading("RETURN VALUES");
    page.entry(
        "PAM_SUCCESS",
        "The session is opened or closed; or usherd is not there, and the login goes on without one.",
    );
    page.entry(
        "PAM_SESSION_ERR",
        "usherd refuses the session, or class or type are none that a session has.",
    );
    page.entry("PAM_USER_UNKNOWN", "The user is not in the user database.");
    page.entry("PAM_SERVICE_ERR", "The application names no user, or memory is out.");
    page.entry("PAM_IGNORE", "The application asks for something that is no session.");
    page.heading("EXAMPLES");
    page.text("The session part of a service, or of what all services include:");
    page.example("session  required  pam_unix.so\nsession  optional  pam_usher.so");
    page.paragraph("That of a login screen's own session:");
    page.example("session  optional  pam_usher.so class=greeter");
    see_also(&mut page, "usherd(8), usher.conf(5), usherctl(1), pam.conf(5), pam.d(5)");
    page.finished()
}

fn pam_setup() -> String {
    let mut command = usher_pam_setup::cli::command();
    command.build();
    let mut page = Page::new("usher-pam-setup", 8, DATE, "put pam_usher.so into PAM stacks and take it out");
    page.heading("SYNOPSIS");
    page.synopsis("usher-pam-setup", "_COMMAND_ [_OPTIONS_...]");
    page.heading("DESCRIPTION");
    page.text(
        "Puts pam_usher(8) into the file of /etc/pam.d that logins share: *system-login* on Arch, Void and Gentoo and their \
         like. Where pam-auth-update(8) writes these files (*common-session* on Debian), it has that program switch usher's \
         profile on and off. Where the module is in the stack already, nothing is changed.",
    );
    page.paragraph(
        "The stack is tried before and after the change, by opening and closing a session with a copy of it. If that fails, the \
         old one is put back. What another session broker has in the stack (pam_systemd.so, pam_elogind.so, \
         pam_turnstile.so, pam_rundir.so) is named, and taken out only with *--replace*.",
    );
    page.heading("COMMANDS");
    for verb in command.get_subcommands().filter(|verb| !verb.is_hide_set() && verb.get_name() != "help") {
        page.entry(&verb_tag(verb), &verb_text(verb));
        if visible(verb).iter().any(|option| is_its_own(option, &command)) {
            page.begin_inner();
            for option in visible(verb).into_iter().filter(|option| is_its_own(option, &command)) {
                page.entry(&tag(option), &sentence(&help(option)));
            }
            page.end_inner();
        }
    }
    page.heading("OPTIONS");
    options(&mut page, &command);
    page.heading("FILES");
    page.entry(
        "*/var/lib/usher/pam-backup*",
        "The old files, and what is needed to take out exactly what was put in.",
    );
    page.heading("EXIT STATUS");
    page.text("0 done, or nothing to do; 1 failed, and nothing is changed; 2 for a wrong command line.");
    page.heading("EXAMPLES");
    page.text("What would change, and then the change:");
    page.example("# usher-pam-setup install --dry-run\n# usher-pam-setup install");
    see_also(&mut page, "pam_usher(8), usherd(8), usherctl(1), pam.d(5)");
    page.finished()
}

/// Whether an option is a command's, and not one of all commands.
fn is_its_own(option: &clap::Arg, of_all: &Command) -> bool {
    of_all.get_arguments().all(|other| other.get_id() != option.get_id())
}

/// A default that does not fit beside its key has a paragraph of its own, which the text before it leads to.
const LONG: usize = 40;

fn usher_conf() -> String {
    let mut page = Page::new("usher.conf", 5, DATE, "settings of usherd, the login and session broker");
    page.heading("SYNOPSIS");
    page.text("*/etc/usher/usher.conf*, */etc/usher/usher.conf.d/*.conf");
    page.line_break();
    page.text("_PREFIX_/lib/usher/usher.conf, _PREFIX_/lib/usher/usher.conf.d/*.conf");
    page.heading("DESCRIPTION");
    page.text(
        "What usherd(8) is told by the administrator, in /etc, and by the distribution, in PREFIX/lib/usher (/usr/lib/usher, as a \
         rule). Of the two usher.conf the first that exists counts. All drop-ins are read after it, in the order of their names, \
         so that a later name wins; one in /etc hides the one of the same name of the distribution. The file that usher comes \
         with has every option at its default, commented out.",
    );
    let mut parts = parts(include_str!("../../../packaging/usher.conf")).into_iter();
    if let Some(Part::Text { text, .. }) = parts.next() {
        // Without the name and where the file belongs.
        for block in text.iter().skip(2) {
            show(&mut page, block, true);
        }
    }
    page.paragraph("*usherd --check* says what is wrong in these files, by file, line and key.");
    page.heading("OPTIONS");
    page.text("In section [Login]:");
    for part in parts {
        match part {
            Part::Heading(text) => page.subheading(&text),
            Part::Setting { keys, text } => {
                let tags: Vec<_> = keys
                    .iter()
                    .map(|(key, default)| match default.as_str() {
                        default if default.is_empty() || default.len() > LONG => format!("*{key}=*"),
                        default => format!("*{key}=* (default: {default})"),
                    })
                    .collect();
                let mut blocks = text.iter();
                match text.first() {
                    Some(Block::Paragraph(first)) => {
                        blocks.next();
                        page.entry(&tags.join(", "), first);
                    }
                    _ => page.entry(&tags.join(", "), ""),
                }
                for block in blocks {
                    show(&mut page, block, false);
                }
                for (_, default) in keys.iter().filter(|(_, default)| default.len() > LONG) {
                    page.entry_paragraph(default);
                }
            }
            Part::Text { text, example } => {
                for block in &text {
                    show(&mut page, block, true);
                }
                if !example.is_empty() {
                    page.example(&example);
                }
            }
        }
    }
    page.heading("EXAMPLES");
    page.text("runit for one user, no manager for another, systemd for all others; nobody is kept longer than a logout:");
    page.example("[Login]\nManagerOf=alice:runit backup:none\nUserStopDelaySec=0");
    see_also(&mut page, "usherd(8), usherctl(1), pam_usher(8), systemd.time(7)");
    page.finished()
}

/// A piece of a comment; `own`: of no entry.
fn show(page: &mut Page, block: &Block, own: bool) {
    match block {
        Block::Paragraph(text) if own => page.paragraph(text),
        Block::Paragraph(text) => page.entry_paragraph(text),
        Block::Lines(text) => page.example(text),
        Block::Terms(terms) => {
            if !own {
                page.begin_inner();
            }
            for (word, meaning) in terms {
                page.entry(&format!("*{word}*"), &sentence(&capital(meaning)));
            }
            if !own {
                page.end_inner();
            }
        }
    }
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    // What is typed as it stands stays as it is.
    let name = ["systemd ", "usher", "su "].iter().any(|name| text.starts_with(name));
    match chars.next() {
        Some(first) if !name => first.to_uppercase().chain(chars).collect(),
        _ => text.to_owned(),
    }
}

fn see_also(page: &mut Page, pages: &str) {
    page.heading("SEE ALSO");
    let pages: Vec<_> = pages
        .split(", ")
        .map(|page| match page.split_once('(') {
            Some((name, section)) => format!("*{name}*({section}"),
            None => page.to_owned(),
        })
        .collect();
    page.text(&pages.join(", "));
}
