//! The arguments: options, verbs, and what is wrong with them. loginctl's grammar (contract/loginctl.md section 1):
//! options may stand anywhere, the first other word is the verb.
//!
//! clap alone would let an option given twice, before and after the verb, lose its first half. So a line is read
//! twice: once for the options, wherever they stand, and once for the verb and its arguments. [`command`] puts the
//! two together again for help, manual and completions.

mod verb;

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow, bail};
use clap::builder::{PossibleValuesParser, TypedValueParser as _};
use clap::error::ErrorKind;
use clap::{Args, CommandFactory as _, Parser, Subcommand as _, ValueEnum};
use usher_protocol::SOCKET_PATH;
use usher_protocol::session::KillWhom;

pub use self::verb::Verb;
use crate::signal;

/// What a command line asks for.
#[derive(Debug)]
pub enum Request {
    /// Print this text (help, version).
    Print(String),
    /// Carry out a verb.
    Run {
        /// How.
        options: Box<Options>,
        /// What.
        verb: Verb,
    },
}

/// The whole command line, for help, manual and completions.
#[derive(Debug, Parser)]
#[command(
    name = "usherctl",
    version,
    about = "Show and control login sessions, users and seats",
    disable_help_flag = true,
    disable_version_flag = true,
    disable_help_subcommand = true,
    after_help = NOTES
)]
struct CommandLine {
    #[command(flatten)]
    options: Options,
    #[command(subcommand)]
    verb: Option<Verb>,
}

const NOTES: &str = "\
Without a command: list-sessions. IDs may be 'self' (the caller's session) or 'auto' (that, or else the caller's
display session), SEATs 'self' or 'auto' (that session's seat); USERs are names or numbers. Exit code: 0, or 1 after
any failure. Of doctor: 0 if nothing is wrong, 1 if something is, 2 if nothing is known to be but something could not be
checked (notes are not wrong; run it as root to check everything).

Differences from systemd's loginctl: no pager, no journal lines, no remote or container operation; no attach and
flush-devices. Additions: --json also works with the status and show commands, as one object of all properties for
each; doctor; show-user -p also knows Manager, ManagerPID, Notice and ControlGroup, show-session -p also ControlGroup.";

/// The first reading: every option, and the words between them.
#[derive(Debug, Parser)]
#[command(
    name = "usherctl",
    disable_help_flag = true,
    disable_version_flag = true,
    infer_long_args = true,
    args_override_self = true,
    override_usage = "usherctl [OPTIONS] COMMAND ..."
)]
struct FirstReading {
    #[command(flatten)]
    options: Options,
    words: Vec<String>,
}

/// The second reading: the words.
#[derive(Debug, Parser)]
#[command(no_binary_name = true, disable_help_flag = true, disable_help_subcommand = true)]
struct SecondReading {
    #[command(subcommand)]
    verb: Verb,
}

/// The options, the same for every verb.
#[derive(Debug, Args)]
pub struct Options {
    /// Show this help
    #[arg(short = 'h', long, global = true)]
    pub help: bool,
    /// Show the version
    #[arg(long, global = true)]
    pub version: bool,
    /// Show only properties by this name, even empty ones (repeatable; commas separate names)
    #[arg(short, long, value_name = "NAME", value_delimiter = ',', global = true)]
    pub property: Vec<String>,
    /// Equivalent to --value --property=NAME
    #[arg(short = 'P', value_name = "NAME", value_delimiter = ',', global = true)]
    pub value_of: Vec<String>,
    /// Show all properties, including empty ones
    #[arg(short, long, global = true)]
    pub all: bool,
    /// When showing properties, print only the value
    #[arg(long, global = true)]
    pub value: bool,
    /// Do not shorten process lines to the terminal's width
    #[arg(short = 'l', long, global = true)]
    pub full: bool,
    /// Print tables without header and footer
    #[arg(long, global = true)]
    pub no_legend: bool,
    /// Accepted; there is no pager
    #[arg(long, global = true)]
    pub no_pager: bool,
    /// Accepted; nothing asks for a password
    #[arg(long, global = true)]
    pub no_ask_password: bool,
    /// Whom to send the signal to
    #[arg(
        long,
        alias = "kill-who",
        value_name = "WHOM",
        default_value = "all",
        value_parser = PossibleValuesParser::new(["leader", "all"]).try_map(|word| word.parse::<KillWhom>()),
        global = true
    )]
    pub kill_whom: KillWhom,
    /// Which signal to send: a name with or without SIG, a number, RTMIN+N or RTMAX-N
    #[arg(short, long, value_name = "SIGNAL", default_value = "SIGTERM", global = true)]
    pub signal: String,
    /// Print lists and properties as JSON
    #[arg(long, value_name = "MODE", default_value = "off", global = true)]
    pub json: JsonMode,
    /// Equivalent to --json=pretty on a terminal, --json=short otherwise
    #[arg(short = 'j', overrides_with = "json", global = true)]
    pub json_auto: bool,
    /// Accepted; journal lines are not shown
    #[arg(short = 'n', long, value_name = "INTEGER", global = true)]
    pub lines: Option<u32>,
    /// Accepted; journal lines are not shown
    #[arg(short, long, value_name = "MODE", global = true)]
    pub output: Option<String>,
    /// Not supported
    #[arg(short = 'H', long, value_name = "[USER@]HOST", hide = true, global = true)]
    pub host: Option<String>,
    /// Not supported
    #[arg(short = 'M', long, value_name = "CONTAINER", hide = true, global = true)]
    pub machine: Option<String>,
    /// Where usherd listens
    #[arg(long, value_name = "PATH", default_value = SOCKET_PATH, hide = true, global = true)]
    pub socket: PathBuf,
}

/// How JSON is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum JsonMode {
    /// Indented.
    Pretty,
    /// One line.
    Short,
    /// No JSON.
    Off,
}

impl Options {
    /// Whether properties were asked for by name.
    pub fn names_properties(&self) -> bool {
        !(self.property.is_empty() && self.value_of.is_empty())
    }

    /// Whether a property was asked for by this name.
    pub fn names(&self, property: &str) -> bool {
        self.property.iter().chain(&self.value_of).any(|name| name == property)
    }

    /// Whether only values are to be printed.
    pub fn only_values(&self) -> bool {
        self.value || !self.value_of.is_empty()
    }

    /// Whether empty properties are to be printed. Whoever asks for one by name wants to see it.
    pub fn shows_empty(&self) -> bool {
        self.all || self.names_properties()
    }

    fn validate(&self) -> anyhow::Result<()> {
        if self.host.is_some() {
            bail!("-H, --host is not supported: run usherctl on the other machine, for example through ssh");
        }
        if self.machine.is_some() {
            bail!("-M, --machine is not supported: run usherctl inside the container");
        }
        signal::parse(&self.signal).map(drop)
    }
}

/// loginctl's verbs that give devices to seats, and take them away.
const DEVICES: [&str; 2] = ["attach", "flush-devices"];

/// The clap command, for manuals and completions.
pub fn command() -> clap::Command {
    CommandLine::command()
}

/// Reads a command line, program name included.
///
/// # Errors
/// With the text to show, when the line is wrong.
pub fn parse(args: impl IntoIterator<Item = OsString>) -> anyhow::Result<Request> {
    let mut args = args.into_iter();
    let program = program_name(args.next().as_deref());
    let line = [OsString::from(program)].into_iter().chain(args);
    let FirstReading { options, words } = FirstReading::try_parse_from(line).map_err(usage)?;
    if options.help {
        return Ok(Request::Print(help(program)));
    }
    if options.version {
        return Ok(Request::Print(version(program)));
    }
    options.validate()?;
    match read_verb(words)? {
        Verb::Help => Ok(Request::Print(help(program))),
        verb => Ok(Request::Run { options: Box::new(options), verb }),
    }
}

/// The name to call ourselves by: `loginctl` where we are called so.
fn program_name(first: Option<&OsStr>) -> &'static str {
    match first.map(Path::new).and_then(Path::file_name) {
        Some(name) if name == "loginctl" => "loginctl",
        _ => "usherctl",
    }
}

fn help(program: &'static str) -> String {
    command().name(program).bin_name(program).render_help().to_string()
}

fn version(program: &str) -> String {
    let version = env!("CARGO_PKG_VERSION");
    match program {
        "usherctl" => format!("usherctl {version}\n"),
        _ => format!("{program} (usher) {version}\n"),
    }
}

fn read_verb(words: Vec<String>) -> anyhow::Result<Verb> {
    let mut words = words.into_iter();
    let Some(name) = words.next() else { return Ok(Verb::ListSessions) };
    if DEVICES.contains(&name.as_str()) {
        bail!(
            "The command '{name}' is not supported: usherd has one seat, seat0, and all devices belong to it."
        );
    }
    if !Verb::has_subcommand(&name) {
        return Err(unknown_verb(&name));
    }
    // An argument may begin with a dash: it stood behind a `--`, or the first reading would have taken it.
    let line = [name, "--".to_owned()].into_iter().chain(words);
    match SecondReading::try_parse_from(line) {
        Ok(reading) => Ok(reading.verb),
        Err(error) => match error.kind() {
            ErrorKind::MissingRequiredArgument => bail!("Too few arguments."),
            ErrorKind::UnknownArgument => bail!("Too many arguments."),
            _ => Err(usage(error)),
        },
    }
}

/// loginctl's words for a verb that does not exist.
fn unknown_verb(name: &str) -> anyhow::Error {
    let command = command();
    let nearest = command
        .get_subcommands()
        .map(|verb| verb.get_name())
        .map(|verb| (strsim::levenshtein(name, verb), verb))
        .filter(|&(distance, _)| distance <= 5)
        .min_by_key(|&(distance, _)| distance);
    match nearest {
        Some((_, verb)) => anyhow!("Unknown command verb '{name}', did you mean '{verb}'?"),
        None => anyhow!("Unknown command verb '{name}'. See 'usherctl --help'."),
    }
}

fn usage(error: clap::Error) -> anyhow::Error {
    // Rendered without colour: it goes through the same escaping as every other error.
    anyhow!("{}", error.render().to_string().trim_end())
}

/// The signal that was asked for. [`parse`] has checked that it is one.
///
/// # Errors
/// When the text is not a signal.
pub fn signal_of(options: &Options) -> anyhow::Result<i32> {
    signal::parse(&options.signal).context("-s, --signal")
}
