//! What is wrong with a service's configuration, as far as sessions go.

use std::collections::BTreeSet;

use crate::broker::{Broker, MODULE};
use crate::config::{ConfigError, PamConfig};
use crate::control::Control;
use crate::parse::Group;
use crate::problem::Problem;
use crate::stack::{Module, Stack};

/// Modules that start something in the user's runtime directory.
const NEEDS_RUNTIME_DIR: [&str; 5] = [
    "pam_gnome_keyring.so",
    "pam_kwallet.so",
    "pam_kwallet5.so",
    "pam_kwallet6.so",
    "pam_cinnamon_keyring.so",
];

/// Everything that is wrong with the sessions of a service, with pam_usher.so anywhere in it, and what libpam cannot
/// read of it.
///
/// # Errors
/// When the service is not there or cannot be read.
pub fn service(config: &PamConfig, service: &str) -> Result<Vec<Problem>, ConfigError> {
    let session = config.stack(service, Group::Session)?;
    let mut problems = stack(config, &session);
    for group in [Group::Auth, Group::Account, Group::Password] {
        let other = config.stack(service, group)?;
        problems.extend(other.problems.iter().filter(|problem| !session.problems.contains(problem)).cloned());
        for (_, module) in other.brokers().filter(|(broker, _)| *broker == Broker::Usher) {
            let text = format!("{MODULE} stands in the {group} stack, where it does nothing");
            problems.push(Problem::error(module.at(), text, "take the line out; it belongs to session"));
        }
    }
    let mut seen = Vec::new();
    problems.retain(|problem| {
        let new = !seen.contains(problem);
        seen.extend(new.then(|| problem.clone()));
        new
    });
    Ok(problems)
}

/// Everything that is wrong with a session stack: what libpam cannot read, modules that are not there, brokers that
/// fight, and a pam_usher.so that stands where it does not work.
pub fn stack(config: &PamConfig, stack: &Stack) -> Vec<Problem> {
    let mut problems = stack.problems.clone();
    for module in &stack.modules {
        if !module.quiet && config.module(&module.module).is_none() {
            let text = format!("names {}, which is not installed", module.module.escape_debug());
            problems.push(match module.control.failure_counts() {
                true => {
                    Problem::error(module.at(), text, "install it or take the line out: logins fail there")
                }
                false => {
                    Problem::warning(module.at(), text, "every login logs that; put a dash before 'session'")
                }
            });
        }
    }
    let mut usher = stack.modules.iter().enumerate().filter(|(_, module)| is_usher(module));
    if let Some((index, module)) = usher.next() {
        if let Some((_, again)) = usher.next() {
            let text =
                format!("{MODULE} stands in the stack twice, first at {}:{}", module.file, module.line);
            problems.push(Problem::error(again.at(), text, "take one of the two lines out"));
        }
        usher_line(module, &mut problems);
        let (before, after) = stack.modules.split_at(index);
        around(module, before, after, &mut problems);
    }
    problems
}

/// The line itself.
fn usher_line(module: &Module, problems: &mut Vec<Problem>) {
    if module.control.failure_counts() {
        let text =
            format!("{MODULE} is '{}': logins that usherd refuses, such as too many, fail", module.control);
        problems.push(Problem::warning(module.at(), text, "write 'optional', unless that is what you want"));
    }
    if module.control.success_ends() {
        let text = format!("{MODULE} is '{}': the modules behind it do not run", module.control);
        problems.push(Problem::error(module.at(), text, "write 'optional'"));
    }
    for word in &module.arguments {
        let name = word.split('=').next().unwrap_or_default();
        if !["class", "type", "desktop", "debug"].contains(&name) {
            let text = format!("'{}' is not an argument of {MODULE}", word.escape_debug());
            problems.push(Problem::warning(module.at(), text, "take it out; it is ignored"));
        }
    }
}

/// What stands before and behind it.
fn around(usher: &Module, before: &[Module], after: &[Module], problems: &mut Vec<Problem>) {
    let is_unix = |module: &&Module| module.name() == "pam_unix.so";
    if let Some(unix) = after.iter().find(is_unix).filter(|_| !before.iter().any(|m| is_unix(&m))) {
        let text = format!("{MODULE} stands before pam_unix.so ({}:{})", unix.file, unix.line);
        let advice = "put it behind: a login that pam_unix.so refuses would be registered";
        problems.push(Problem::error(usher.at(), text, advice));
    }
    // What ends a substack ends nothing around it.
    for module in
        before.iter().filter(|module| module.substack <= usher.substack && module.control.success_ends())
    {
        let text =
            format!("{} is '{}': when it succeeds, {MODULE} does not run", module.name(), module.control);
        problems.push(Problem::warning(
            module.at(),
            text,
            format!("put it behind {}:{}", usher.file, usher.line),
        ));
    }
    for module in before.iter().filter(|module| NEEDS_RUNTIME_DIR.contains(&module.name())) {
        let text = format!("{} needs XDG_RUNTIME_DIR, and stands before {MODULE}", module.name());
        problems.push(Problem::warning(
            module.at(),
            text,
            format!("put it behind {}:{}", usher.file, usher.line),
        ));
    }
    for (broker, module) in others(before).chain(others(after)) {
        let text = format!("{} registers logins with {} beside usher", module.name(), broker.name());
        let advice =
            "take it out (usher-pam-setup install --replace does): two brokers fight over each login";
        problems.push(Problem::error(module.at(), text, advice));
    }
}

fn others(modules: &[Module]) -> impl Iterator<Item = (Broker, &Module)> {
    let broker = |module| Some((Module::broker(module)?, module));
    modules.iter().filter_map(broker).filter(|(broker, _)| *broker != Broker::Usher)
}

fn is_usher(module: &Module) -> bool {
    module.broker() == Some(Broker::Usher)
}

/// Whether a service logs in the login screen itself rather than a person: nobody is asked for anything, so that all
/// of its auth lines are pam_permit.so and modules that only look.
///
/// # Errors
/// When the service is not there or cannot be read.
pub fn is_greeter(config: &PamConfig, service: &str) -> Result<bool, ConfigError> {
    let auth = config.own_stack(service, Group::Auth)?;
    let looks = ["pam_env.so", "pam_nologin.so", "pam_succeed_if.so"];
    let permits = |module: &Module| module.name() == "pam_permit.so";
    let harmless = |module: &Module| permits(module) || looks.contains(&module.name());
    Ok(auth.modules.iter().any(permits) && auth.modules.iter().all(harmless))
}

impl PamConfig {
    /// The services: what programs ask for, without the files that others include, and without `other`. Sorted.
    ///
    /// # Errors
    /// When there is no /etc/pam.d.
    pub fn services(&self) -> Result<Vec<String>, ConfigError> {
        use crate::parse::{Statement, parse};
        let mut names: BTreeSet<String> = self.names()?.into_iter().collect();
        let mut included = BTreeSet::from(["other".to_owned()]);
        for (name, found) in names.iter().filter_map(|name| Some((name, self.read(name).ok()?))) {
            let files = parse(&found.bytes).into_iter().filter_map(|line| match line.statement {
                Statement::IncludeAll { file } => Some(file),
                Statement::Module { control: Control::Include | Control::Substack, module, .. } => {
                    Some(module)
                }
                _ => None,
            });
            // su-l includes su, and both are services.
            let variant =
                |file: &String| name.strip_prefix(file.as_str()).is_some_and(|rest| rest.starts_with('-'));
            included.extend(files.filter(|file| !variant(file)));
        }
        // On Arch and others some shared files are included by nobody as long as their users are not installed.
        let shared = |name: &str| {
            let starts =
                ["system-auth", "system-login", "system-local-", "system-remote-", "system-services"];
            name.starts_with("common-")
                || name.starts_with("base-")
                || starts.iter().any(|start| name.starts_with(start))
        };
        names.retain(|name| !included.contains(name) && !shared(name));
        Ok(names.into_iter().collect())
    }
}
