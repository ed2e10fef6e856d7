//! What usherd has to say of itself to whoever looks after the machine: noted where it comes up, told when somebody asks.
//! Nothing here decides anything.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use usher_model::{Now, RuntimeForm};
use usher_protocol::ids::Uid;
use usher_protocol::messages::{ManagerKindView, Refusal, StatusReply, StatusView};

use crate::config::{self, Choices, Kind, Loaded, SystemFiles};
use crate::dbus::Standing;
use crate::sys::clock;

/// What is noted, shared by all who note and tell.
#[derive(Debug, Clone)]
pub(crate) struct Status {
    started: Now,
    noted: Arc<Mutex<Noted>>,
    /// Its names on the bus.
    pub(crate) bus: Standing,
}

#[derive(Debug, Default)]
struct Noted {
    files: Vec<String>,
    warnings: Vec<String>,
    choices: Choices,
    runtime_directory: RuntimeForm,
    cgroups: Option<String>,
    cgroups_error: String,
}

impl Status {
    /// From usherd's start on.
    pub(crate) fn new() -> Self {
        Self { started: clock::now(), noted: Arc::default(), bus: Standing::default() }
    }

    /// The configuration was read.
    pub(crate) fn configured(&self, loaded: &Loaded) {
        self.note(|noted| {
            noted.files = loaded.sources.iter().map(|path| path.display().to_string()).collect();
            noted.warnings = loaded.warnings.iter().map(ToString::to_string).collect();
            noted.choices = loaded.choices.clone();
            noted.runtime_directory = loaded.settings.runtime_directory;
        });
    }

    /// Sessions have their cgroups here, or have none for a reason.
    pub(crate) fn cgroups(&self, found: Result<&Path, String>) {
        self.note(|noted| {
            (noted.cgroups, noted.cgroups_error) = match found {
                Ok(mount) => (Some(mount.display().to_string()), String::new()),
                Err(why) => (None, why),
            }
        });
    }

    fn note(&self, change: impl FnOnce(&mut Noted)) {
        change(&mut self.noted.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Tells all of it to root. The bus is asked, for a second at most, and a few files are looked at.
    ///
    /// # Errors
    /// [`Refusal::AccessDenied`] for anybody else: what is wrong with a machine is its administrator's business.
    pub(crate) async fn tell(&self, caller: Uid) -> Result<StatusReply, Refusal> {
        if !caller.is_root() {
            return Err(Refusal::AccessDenied {
                message: "Only root may ask how usherd is, and what it finds on this machine".to_owned(),
            });
        }
        let bus_names = self.bus.look().await;
        let (mut status, choices) = {
            let noted = self.noted.lock().unwrap_or_else(PoisonError::into_inner);
            let status = StatusView {
                version: env!("CARGO_PKG_VERSION").to_owned(),
                pid: std::process::id(),
                started: self.started.realtime,
                configuration_files: noted.files.clone(),
                configuration_warnings: noted.warnings.clone(),
                cgroups: noted.cgroups.clone(),
                cgroups_error: noted.cgroups_error.clone(),
                runtime_directory: form(noted.runtime_directory).to_owned(),
                bus_socket: Standing::socket().display().to_string(),
                bus_names,
                managers: Vec::new(),
            };
            (status, noted.choices.clone())
        };
        let look = move || config::kinds(&SystemFiles, &choices, Path::exists);
        let kinds = tokio::task::spawn_blocking(look).await.unwrap_or_default();
        status.managers = kinds.into_iter().map(manager).collect();
        Ok(StatusReply { status })
    }
}

fn form(form: RuntimeForm) -> &'static str {
    match form {
        RuntimeForm::Auto => "auto",
        RuntimeForm::Tmpfs => "tmpfs",
        RuntimeForm::Directory => "directory",
    }
}

fn manager(kind: Kind) -> ManagerKindView {
    let Kind { name, is_default, is_chosen, definition, program } = kind;
    let (external, programs, error) = match definition {
        Ok(definition) => {
            let programs = definition.start.iter().filter_map(|words| words.first().cloned()).collect();
            (definition.external, programs, String::new())
        }
        Err(error) => (false, Vec::new(), error),
    };
    ManagerKindView { name, is_default, is_chosen, external, program, programs, error }
}
