//! The configuration as it is on this machine: read, its mistakes reported, its percentages turned into bytes.

use tracing::{debug, info, warn};

use usher_model::Services;

use crate::config::{self, Choices, Settings, SystemFiles};
use crate::status::Status;
use crate::sys::{accounts, limits};

/// Reads the configuration files and tells the administrator about mistakes in them. `in_force`: the policy of services that
/// stays where there is a mistake in the new one: half of a policy could be worse than none.
pub(crate) fn load(in_force: Option<&Services>, status: &Status) -> (Settings, Choices) {
    let mut loaded = config::load(&SystemFiles);
    status.configured(&loaded);
    for path in &loaded.sources {
        info!("configuration read from {}", path.display());
    }
    for warning in &loaded.warnings {
        warn!("{warning}");
    }
    for note in &loaded.without_effect {
        debug!("{note}");
    }
    if let Some(services) = in_force.filter(|_| loaded.services_in_doubt) {
        warn!("what the [Service] sections said before stays in force, because of the mistakes in them now");
        loaded.settings.services = services.clone();
    }
    (loaded.settings, loaded.choices)
}

/// What the model needs of it.
pub(crate) fn for_model(settings: &Settings, cgroups: bool) -> usher_model::Settings {
    let limits = settings.runtime_directory_limits(limits::memory_total(), limits::page_size());
    settings.for_model(cgroups, accounts::system_uid_max(), limits)
}
