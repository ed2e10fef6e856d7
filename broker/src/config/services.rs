//! `[Service NAME …]`: what holds for the sessions of single PAM services, and what usher takes for granted of some.

use usher_model::{CgroupUse, ClassRule, ManagerUse, Nested, ServiceName, Services};
use usher_protocol::session::SessionClass;

use super::values::{self, Expected};

/// Services whose jobs run by themselves: of one that runs every minute, a user's manager would not come to rest.
const BATCH: [&str; 3] = ["cron", "crond", "atd"];

/// What holds where no file says otherwise. What local display managers may do is in `DisplayManagers=`.
pub(super) fn built_in() -> Services {
    let mut services = Services::default();
    let mut class = |name: &str, class| {
        if let Ok(name) = ServiceName::new(name) {
            services.change(name, |rules| rules.class = Some(class));
        }
    };
    for name in BATCH {
        class(name, ClassRule::Is(SessionClass::BackgroundLight));
    }
    // It asks for a password and opens nothing that anybody works in.
    class("polkit-1", ClassRule::NoSession);
    services
}

/// The services that the head of a section names.
///
/// # Errors
/// What is wrong with one of them, with its name.
pub(super) fn names(head: &str) -> Result<Vec<ServiceName>, String> {
    let words = values::words(head)?;
    if words.is_empty() {
        return Err("names no service; expected [Service NAME ...]".to_owned());
    }
    let name = |word: &String| ServiceName::new(word).map_err(|why| format!("'{word}' is refused: {why}"));
    words.iter().map(name).collect()
}

/// Carries out one assignment for all services of a section. `false`: nobody knows the key. A bad value changes nothing; an
/// empty one takes back what was said of these services before, built-in rules included.
pub(super) fn apply(
    services: &mut Services,
    names: &[ServiceName],
    key: &str,
    value: &str,
) -> Result<bool, Expected> {
    let said = !value.is_empty();
    match key.to_ascii_lowercase().replace('-', "").as_str() {
        "class" => {
            let class = said.then(|| class(value)).transpose()?;
            each(services, names, |rules| rules.class = class);
        }
        "manager" => {
            let expected = "expected start, reuse or none";
            let manager = said.then(|| ManagerUse::from_word(value).ok_or(expected)).transpose()?;
            each(services, names, |rules| rules.manager = manager);
        }
        "cgroup" => {
            let expected = "expected create, adopt or off";
            let cgroup = said.then(|| CgroupUse::from_word(value).ok_or(expected)).transpose()?;
            each(services, names, |rules| rules.cgroup = cgroup);
        }
        "nested" => {
            let expected = "expected inherit, runtime-only or new";
            let nested = said.then(|| Nested::from_word(value).ok_or(expected)).transpose()?;
            each(services, names, |rules| rules.nested = nested);
        }
        "seat" => {
            let seat = said.then(|| values::boolean(value)).transpose()?;
            each(services, names, |rules| rules.seat = seat);
        }
        _ => return Ok(false),
    }
    Ok(true)
}

fn each(services: &mut Services, names: &[ServiceName], set: impl Fn(&mut usher_model::Rules)) {
    for name in names {
        services.change(name.clone(), &set);
    }
}

fn class(value: &str) -> Result<ClassRule, Expected> {
    const EXPECTED: Expected =
        "expected a class such as user, user-light, background or background-light, or none";
    match value.parse().map_err(|_| EXPECTED)? {
        ClassRule::Is(SessionClass::Manager | SessionClass::ManagerEarly) => {
            Err("only user managers have sessions of that class, and they are usher's own business")
        }
        ClassRule::Is(SessionClass::UserIncomplete) => {
            Err("a session is incomplete by what the login knows of the home directory, not by its service")
        }
        rule => Ok(rule),
    }
}
