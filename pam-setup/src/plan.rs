//! New files of old ones. Bytes in, bytes out: writing is up to the caller.
//!
//! One line is added, and it says itself that it was: [`MARK`] stands behind it. A line that is taken out stays where
//! it is, as a comment that begins with [`TAKEN_OUT`]. So [`remove`] needs to remember nothing, and finds its own
//! lines among later edits of others.

use crate::broker::{Broker, MODULE};
use crate::check;
use crate::config::{ConfigError, PamConfig};
use crate::control::{Action, Control};
use crate::parse::{Group, Statement, parse};
use crate::problem::{Problem, Severity};
use crate::stack::{Module, Stack};

/// The comment behind the line that was added.
pub const MARK: &str = "# usher-pam-setup";
/// What stands before a line that was taken out.
pub const TAKEN_OUT: &str = "#usher-pam-setup: ";

/// Why a file is left as it is.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// The file, or one that it includes, cannot be read.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The stack is broken already: whatever is added to it, logins go wrong.
    #[error("the stack is broken as it is, and nothing was changed:\n{}", list(.0))]
    Broken(Vec<Problem>),
    /// Somebody else registers logins.
    #[error(
        "logins are registered with somebody else already; --replace takes these lines out:\n{}",
        modules(.0)
    )]
    OtherBroker(Vec<Module>),
    /// Somebody else registers logins, by a line in a file that this one includes.
    #[error("logins are registered with somebody else in a file that {file} includes; start there:\n{}", modules(.found))]
    ElsewhereBroker {
        /// The file that was to be changed.
        file: String,
        /// The lines.
        found: Vec<Module>,
    },
    /// It logs in a login screen.
    #[error(
        "{0} lets everybody in without asking, as the service of a login screen does: if usher is to know about it, \
         add 'session optional pam_usher.so class=greeter' by hand"
    )]
    Greeter(String),
    /// It has no session lines, and the first one would switch off those of /etc/pam.d/other.
    #[error(
        "{0} has no session lines of its own: add 'session optional pam_usher.so' to the file that it shares with others"
    )]
    NoSession(String),
    /// Lines jump over others by number, and would jump wrong.
    #[error(
        "{0}: a line jumps over others by their number, and there is no place where one more does not change what it jumps over: add 'session optional pam_usher.so' by hand, and correct the number"
    )]
    NoPlace(String),
}

fn list(problems: &[Problem]) -> String {
    problems.iter().map(|problem| format!("  {problem}")).collect::<Vec<_>>().join("\n")
}

fn modules(modules: &[Module]) -> String {
    let line = |module: &Module| {
        let broker = module.broker().map_or("", Broker::name);
        format!("  {}:{}: {} ({broker})", module.file, module.line, module.name())
    };
    modules.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// The file `name` of /etc/pam.d with pam_usher.so in its session stack: behind the account's own modules, before
/// everything that works with what a session has. Where it is in the stack already, the file comes back as it was.
/// With `replace`, lines of other brokers are taken out.
///
/// # Errors
/// When the stack is broken as it is, another broker is in it and stays, or there is no place for the line.
pub fn install(config: &PamConfig, name: &str, replace: bool) -> Result<Vec<u8>, Refusal> {
    let found = config.read(name)?;
    let stack = config.own_stack(name, Group::Session)?;
    let others: Vec<Module> =
        stack.brokers().filter(|(b, _)| *b != Broker::Usher).map(|(_, m)| m.clone()).collect();
    refuse_broken(config, name, &stack)?;
    let (here, elsewhere): (Vec<_>, Vec<_>) =
        others.into_iter().partition(|module| module.file == found.path);
    if !elsewhere.is_empty() {
        return Err(Refusal::ElsewhereBroker { file: found.path, found: elsewhere });
    }
    if !here.is_empty() && !replace {
        return Err(Refusal::OtherBroker(here));
    }
    if here.is_empty() && check::is_greeter(config, name)? && !stack.has_usher() {
        return Err(Refusal::Greeter(found.path));
    }
    if stack.modules.is_empty() {
        return Err(Refusal::NoSession(found.path));
    }
    let taken: Vec<usize> = here.iter().map(|module| module.line).collect();
    if stack.has_usher() && taken.is_empty() {
        return Ok(found.bytes);
    }
    let mut lines: Vec<_> = parse(&found.bytes);
    let places = if stack.has_usher() { vec![None] } else { places(config, &lines, &taken) };
    lines.retain(|line| taken.contains(&line.first));
    let spans: Vec<_> = lines.iter().map(|line| line.first..=line.last).collect();
    let added = line(&here);
    for place in places {
        let new = edit(&found.bytes, place, &added, |number| spans.iter().any(|span| span.contains(&number)));
        let after = config.clone().with(name, new.clone()).own_stack(name, Group::Session)?;
        if jumps(&stack) == jumps(&after) {
            return Ok(new);
        }
    }
    Err(Refusal::NoPlace(found.path))
}

/// What keeps libpam from reading the stack, or pam_usher.so from working in it. Other brokers are not meant.
fn refuse_broken(config: &PamConfig, name: &str, stack: &Stack) -> Result<(), Refusal> {
    let mut problems = check::service(config, name)?;
    problems.retain(|problem| {
        let other = stack.brokers().any(|(_, module)| module.at() == (problem.file.as_str(), problem.line));
        let usher = problem.text.contains(MODULE);
        problem.severity == Severity::Error && (!other || usher)
    });
    if problems.is_empty() { Ok(()) } else { Err(Refusal::Broken(problems)) }
}

/// The physical lines behind which the new one may stand, best first.
fn places(config: &PamConfig, lines: &[crate::parse::Line], taken: &[usize]) -> Vec<Option<usize>> {
    let brings =
        |file: &str| config.own_stack(file, Group::Session).is_ok_and(|stack| !stack.modules.is_empty());
    let session: Vec<_> = lines
        .iter()
        .filter(|line| match &line.statement {
            Statement::Module { group, .. } => *group == Group::Session,
            Statement::IncludeAll { file } => brings(file),
            Statement::Broken { .. } | Statement::Fatal { .. } => false,
        })
        .collect();
    let sets_up = |statement: &Statement| match statement {
        Statement::Module { control: Control::Include | Control::Substack, module, .. } => brings(module),
        Statement::Module { module, .. } => module.rsplit('/').next() == Some("pam_unix.so"),
        _ => true,
    };
    let anchor = session.iter().rposition(|line| sets_up(&line.statement));
    // In place of the first broker, if that stands behind the account's modules.
    let broker = session
        .iter()
        .position(|line| taken.contains(&line.first))
        .filter(|at| anchor.is_none_or(|anchor| *at > anchor));
    let first = broker.or(anchor).unwrap_or(session.len().saturating_sub(1));
    session.iter().skip(first).take(64).map(|line| Some(line.last)).collect()
}

/// The line to add; what a broker's line said about the session's class, type and desktop goes on being said.
fn line(replaced: &[Module]) -> String {
    let arguments = replaced.iter().flat_map(|module| &module.arguments);
    let known = ["class=", "type=", "desktop="];
    let mut kept: Vec<&str> = Vec::new();
    for word in arguments.map(String::as_str).filter(|word| known.iter().any(|start| word.starts_with(start)))
    {
        if !kept.contains(&word) {
            kept.push(word);
        }
    }
    let arguments: String = kept.iter().map(|word| format!(" {word}")).collect();
    format!("-session   optional   {MODULE}{arguments}   {MARK}")
}

/// The text with a line more behind physical line `place`, and some lines made comments.
fn edit(bytes: &[u8], place: Option<usize>, added: &str, takes_out: impl Fn(usize) -> bool) -> Vec<u8> {
    let mut new = Vec::with_capacity(bytes.len() + 256);
    for (index, text) in bytes.split_inclusive(|&byte| byte == b'\n').enumerate() {
        if takes_out(index + 1) {
            new.extend_from_slice(TAKEN_OUT.as_bytes());
        }
        new.extend_from_slice(text);
        if place == Some(index + 1) {
            // Behind a last line without a newline, the new line has none either; `remove` knows.
            let ended = text.ends_with(b"\n");
            new.extend_from_slice(if ended { b"" } else { b"\n" });
            new.extend_from_slice(added.as_bytes());
            new.extend_from_slice(if ended { b"\n" } else { b"" });
        }
    }
    new
}

/// For every line that jumps: the modules that it jumps to, by the line's own and their places among those that stay.
fn jumps(stack: &Stack) -> Vec<(usize, usize)> {
    let stays = |module: &Module| module.broker().is_none();
    let mut kept = 0;
    let mut jumps = Vec::new();
    for (index, module) in stack.modules.iter().enumerate() {
        kept += usize::from(stays(module));
        let Control::Actions(actions) = &module.control else { continue };
        for (_, action) in actions {
            if let Action::Jump(by) = action {
                let landing = landing(&stack.modules, index, *by);
                let before = stack.modules.iter().take(landing).filter(|module| stays(module)).count();
                jumps.push((kept, before));
            }
        }
    }
    jumps
}

/// The index of the module that runs after a jump; a substack counts as one module.
fn landing(modules: &[Module], from: usize, by: u32) -> usize {
    let level = modules.get(from).map_or(0, |module| module.substack);
    let mut at = from + 1;
    for _ in 0..by {
        match modules.get(at) {
            Some(module) if module.substack == level => at += 1,
            Some(module) if module.substack > level => {
                at += modules.iter().skip(at).take_while(|module| module.substack > level).count();
            }
            _ => break,
        }
    }
    at
}

/// The text as it was before [`install`]: the marked lines are gone, the lines that were taken out are back. Other
/// lines with pam_usher.so stay, and everything else.
pub fn remove(bytes: &[u8]) -> Vec<u8> {
    let mut old: Vec<u8> = Vec::with_capacity(bytes.len());
    for text in bytes.split_inclusive(|&byte| byte == b'\n') {
        if is_ours(text) {
            if !text.ends_with(b"\n") && old.ends_with(b"\n") {
                old.pop();
            }
        } else {
            old.extend_from_slice(text.strip_prefix(TAKEN_OUT.as_bytes()).unwrap_or(text));
        }
    }
    old
}

fn is_ours(text: &[u8]) -> bool {
    let ours = text.trim_ascii_end().ends_with(MARK.as_bytes());
    ours && matches!(parse(text).as_slice(), [line] if matches!(&line.statement,
        Statement::Module { module, .. } if Broker::of(module) == Some(Broker::Usher)))
}
