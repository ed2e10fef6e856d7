//! `status`.

use anyhow::{Context, Result};
use serde::Serialize;
use usher_pam_setup::{Broker, Group, Layout, MODULE, PamConfig, Problem, Severity, check};

use usher_pam_setup::cli::Common;

/// The service that usher-user-manager opens a session of before it becomes the user's manager.
const MANAGER: &str = "systemd-user";

#[derive(Debug, Serialize)]
struct Status {
    layout: Layout,
    /// The file that install would change.
    file: Option<String>,
    /// Where the module lies.
    module: Option<String>,
    services: Vec<Service>,
    /// The service of the users' managers; its file, if it is there.
    manager_service: Option<String>,
    problems: Vec<Problem>,
}

#[derive(Debug, Serialize)]
struct Service {
    name: String,
    /// It logs in a login screen.
    greeter: bool,
    /// Who registers its logins, and by which line.
    brokers: Vec<Registered>,
}

#[derive(Debug, Serialize)]
struct Registered {
    broker: Broker,
    file: String,
    line: usize,
}

pub(crate) fn run(common: &Common, json: bool) -> Result<()> {
    let config = PamConfig::at(&common.root);
    let status = look(&config, common)?;
    if json {
        let text = serde_json::to_string_pretty(&status).context("write JSON")?;
        println!("{text}");
    } else {
        show(&status);
    }
    Ok(())
}

fn look(config: &PamConfig, common: &Common) -> Result<Status> {
    let layout = Layout::recognise(config)?;
    let file = common.service.clone().or_else(|| layout.file().map(str::to_owned));
    let names = match &common.service {
        Some(name) => vec![name.clone()],
        None => config.services()?,
    };
    let mut problems = Vec::new();
    let mut services = Vec::new();
    for name in names {
        let stack = match config.stack(&name, Group::Session) {
            Ok(stack) => stack,
            Err(error) if common.service.is_some() => return Err(error.into()),
            Err(error) => {
                let (file, advice) = (format!("/etc/pam.d/{name}"), "logins by it fail".to_owned());
                problems.push(Problem {
                    severity: Severity::Error,
                    file,
                    line: 0,
                    text: error.to_string(),
                    advice,
                });
                continue;
            }
        };
        for problem in check::service(config, &name)? {
            if !problems.contains(&problem) {
                problems.push(problem);
            }
        }
        let registered = |(broker, module): (Broker, &usher_pam_setup::Module)| Registered {
            broker,
            file: module.file.clone(),
            line: module.line,
        };
        let brokers = stack.brokers().map(registered).collect();
        services.push(Service { greeter: check::is_greeter(config, &name)?, name, brokers });
    }
    problems.extend(mixed(&services));
    let manager_service = config.read(MANAGER).ok().map(|found| found.path);
    Ok(Status { layout, file, module: config.module(MODULE), services, manager_service, problems })
}

/// Services that register with somebody else while others register with usher: each line once.
fn mixed(services: &[Service]) -> Vec<Problem> {
    let with_usher =
        |service: &Service| service.brokers.iter().any(|registered| registered.broker == Broker::Usher);
    if !services.iter().any(with_usher) {
        return Vec::new();
    }
    let mut problems: Vec<Problem> = Vec::new();
    for service in services.iter().filter(|service| !with_usher(service)) {
        for Registered { broker, file, line } in &service.brokers {
            let name = file.rsplit('/').next().unwrap_or(file);
            let advice = match service.name == MANAGER {
                true => format!("put packaging/pam.d/{MANAGER} of usher's into /etc/pam.d"),
                false => format!("use usher-pam-setup install --replace --service {name}"),
            };
            let text = format!("registers with {}, while other logins go to usher", broker.name());
            if !problems.iter().any(|problem| problem.file == *file && problem.line == *line) {
                let (severity, file, line) = (Severity::Warning, file.clone(), *line);
                problems.push(Problem { severity, file, line, text, advice });
            }
        }
    }
    problems
}

fn show(status: &Status) {
    println!("{}.", status.layout.explain());
    if let Some(file) = &status.file {
        println!("install changes /etc/pam.d/{file}.");
    }
    match &status.module {
        Some(path) => println!("{path} is installed."),
        None => println!("{MODULE} is not installed."),
    }
    let width = status.services.iter().map(|service| service.name.len()).max().unwrap_or(0);
    for service in &status.services {
        let brokers: Vec<_> =
            service.brokers.iter().map(|r| format!("{} ({}:{})", r.broker.name(), r.file, r.line)).collect();
        let brokers = if brokers.is_empty() { "nobody".to_owned() } else { brokers.join(", ") };
        let greeter = if service.greeter { ", a login screen" } else { "" };
        println!("  {:width$}  {brokers}{greeter}", service.name);
    }
    match &status.manager_service {
        Some(path) => println!("Users' managers open a session of {path}."),
        None => println!(
            "{MANAGER} is missing: users' managers start without a PAM session (limits, audit id); usher's packaging \
             has a file for it."
        ),
    }
    for problem in &status.problems {
        println!("{}: {problem}", if problem.severity == Severity::Error { "error" } else { "warning" });
    }
}
