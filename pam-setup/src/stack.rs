//! What runs for a service: its lines of one group, with the files that they name in their places.

use serde::{Serialize, Serializer};

use crate::broker::Broker;
use crate::config::{ConfigError, PamConfig};
use crate::control::Control;
use crate::parse::{Group, Statement, parse};
use crate::problem::Problem;

/// Files in files in files: libpam gives up at about this depth, too.
const DEEPEST: usize = 32;
/// More lines than any machine has; files that include each other twice double at every step.
const LONGEST: usize = 4096;

/// One module that runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Module {
    /// The file that names it, as the machine sees it.
    pub file: String,
    /// The line in it, from 1.
    pub line: usize,
    /// Its group.
    pub group: Group,
    /// A missing module is not logged: a dash stands before the group.
    pub quiet: bool,
    /// What its result does.
    #[serde(serialize_with = "as_written")]
    pub control: Control,
    /// The module, as it stands there.
    pub module: String,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// How many substacks it stands in: what ends one does not end the stack around it.
    pub substack: usize,
}

impl Module {
    /// The broker that it registers logins with, if it does that.
    pub fn broker(&self) -> Option<Broker> {
        Broker::of(&self.module)
    }

    /// The module's name, without a directory.
    pub fn name(&self) -> &str {
        self.module.rsplit('/').next().unwrap_or(&self.module)
    }

    pub(crate) fn at(&self) -> (&str, usize) {
        (&self.file, self.line)
    }
}

/// The modules of one group that run for a service, in order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Stack {
    /// The service.
    pub service: String,
    /// The group.
    pub group: Group,
    /// The modules.
    pub modules: Vec<Module>,
    /// What stands in the way of reading it: broken lines, missing files, loops. At each of these libpam lets the
    /// stack fail.
    pub problems: Vec<Problem>,
    /// The service says nothing about this group, and what runs is the service `other`.
    pub other: bool,
}

impl Stack {
    /// Whether and where the stack registers logins, in order.
    pub fn brokers(&self) -> impl Iterator<Item = (Broker, &Module)> {
        self.modules.iter().filter_map(|module| Some((module.broker()?, module)))
    }

    /// Whether pam_usher.so is in it.
    pub fn has_usher(&self) -> bool {
        self.brokers().any(|(broker, _)| broker == Broker::Usher)
    }
}

impl PamConfig {
    /// What runs in one group of a service. A service without lines of that group gets those of `other`, as in libpam.
    ///
    /// # Errors
    /// When the service itself is not there or cannot be read. What is wrong inside comes in [`Stack::problems`].
    pub fn stack(&self, service: &str, group: Group) -> Result<Stack, ConfigError> {
        let stack = self.own_stack(service, group)?;
        if !stack.modules.is_empty() || !stack.problems.is_empty() || service == "other" {
            return Ok(stack);
        }
        match self.own_stack("other", group) {
            Ok(other) => Ok(Stack { service: service.to_owned(), other: true, ..other }),
            Err(_) => Ok(stack),
        }
    }

    /// The same, without `other`: for a file that services include.
    ///
    /// # Errors
    /// As [`PamConfig::stack`].
    pub fn own_stack(&self, service: &str, group: Group) -> Result<Stack, ConfigError> {
        let found = self.read(service)?;
        let stack = Stack {
            service: service.to_owned(),
            group,
            modules: Vec::new(),
            problems: Vec::new(),
            other: false,
        };
        let mut reader = Reader { config: self, stack, open: vec![found.path.clone()], steps: 0 };
        reader.file(&found.path, &found.bytes, 0, None);
        Ok(reader.stack)
    }
}

struct Reader<'a> {
    config: &'a PamConfig,
    stack: Stack,
    /// The files that are being read, outermost first.
    open: Vec<String>,
    /// Lines read and files opened so far.
    steps: usize,
}

impl Reader<'_> {
    /// The lines of a file that is read for one group, or for all.
    fn file(&mut self, path: &str, bytes: &[u8], substack: usize, asked: Option<Group>) {
        for line in parse(bytes) {
            let at = (path, line.first);
            if self.steps >= LONGEST {
                return;
            }
            self.steps += 1;
            if self.steps == LONGEST {
                self.problem(Problem::error(
                    at,
                    format!("the service runs more than {LONGEST} lines, which cannot be meant"),
                    "look for files that include each other",
                ));
                return;
            }
            match line.statement {
                Statement::IncludeAll { file } => self.include(at, &file, substack, asked),
                Statement::Fatal { reason } => {
                    let advice =
                        "correct the line, or put a # before it: libpam takes nothing of the whole file";
                    self.problem(Problem::error(at, reason, advice));
                }
                Statement::Broken { group, reason } => {
                    if group.unwrap_or(asked.unwrap_or(Group::Auth)) == self.stack.group {
                        let advice = "correct the line, or put a # before it: libpam lets logins fail there";
                        self.problem(Problem::error(at, reason, advice));
                    }
                }
                Statement::Module { group, .. } if group != self.stack.group => {}
                Statement::Module { group, control: Control::Include, module, .. } => {
                    self.include(at, &module, substack, Some(group))
                }
                Statement::Module { group, control: Control::Substack, module, .. } => {
                    self.include(at, &module, substack + 1, Some(group));
                }
                Statement::Module { group, quiet, control, module, arguments } => {
                    let (file, line) = (path.to_owned(), line.first);
                    let module = Module { file, line, group, quiet, control, module, arguments, substack };
                    self.stack.modules.push(module);
                }
            }
        }
    }

    fn include(&mut self, at: (&str, usize), name: &str, substack: usize, asked: Option<Group>) {
        let name_shown = name.escape_debug();
        let found = match self.config.read(name) {
            Ok(found) => found,
            Err(ConfigError::Missing(_)) => {
                let text = format!("includes '{name_shown}', and there is no such file");
                let advice =
                    "install the package that brings it, or take the line out: libpam lets logins fail there";
                return self.problem(Problem::error(at, text, advice));
            }
            Err(error) => {
                let text = format!("includes '{name_shown}': {error}");
                return self.problem(Problem::error(at, text, "make it readable for root, a regular file"));
            }
        };
        if self.open.contains(&found.path) {
            let text = format!("includes '{name_shown}', which includes this file in turn");
            return self.problem(Problem::error(at, text, "take one of the two out"));
        }
        if self.open.len() >= DEEPEST {
            let text = format!("more than {DEEPEST} files include one another");
            return self.problem(Problem::error(
                at,
                text,
                "libpam does not go that deep; put the lines in one file",
            ));
        }
        self.open.push(found.path.clone());
        self.file(&found.path, &found.bytes, substack, asked);
        self.open.pop();
    }

    fn problem(&mut self, problem: Problem) {
        if !self.stack.problems.contains(&problem) {
            self.stack.problems.push(problem);
        }
    }
}

fn as_written<S: Serializer>(control: &Control, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(control)
}
