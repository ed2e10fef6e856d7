//! What a slice's or service's drop-ins say about the kernel's controllers (systemd.resource-control(5)).

use super::values::{self, Expected};

/// What the kernel is told of one cgroup; `None` where no file says anything.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Resources {
    /// TasksMax.
    pub tasks_max: Option<Ceiling>,
    /// MemoryMax.
    pub memory_max: Option<Ceiling>,
    /// MemoryHigh.
    pub memory_high: Option<Ceiling>,
    /// CPUWeight.
    pub cpu_weight: Option<u64>,
    /// IOWeight.
    pub io_weight: Option<u64>,
}

/// An upper limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ceiling {
    /// There is none.
    Infinite,
    /// So many bytes or tasks.
    Absolute(u64),
    /// So many ten-thousandths of what the machine has.
    Share(u32),
}

impl Ceiling {
    /// What the kernel is told, on a machine that has so much in all.
    pub fn on(self, all: u64) -> String {
        match self {
            Self::Infinite => "max".to_owned(),
            Self::Absolute(number) => number.to_string(),
            Self::Share(share) => (u128::from(all) * u128::from(share) / 10_000).max(1).to_string(),
        }
    }
}

impl Resources {
    /// Whether no file says anything.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Carries out one assignment; whether the key is one of these. An empty value takes back what was said before.
    pub(super) fn apply(&mut self, key: &str, value: &str) -> Result<bool, Expected> {
        match key {
            "TasksMax" => self.tasks_max = unless_empty(value, |text| ceiling(text, values::number))?,
            "MemoryMax" => self.memory_max = unless_empty(value, |text| ceiling(text, values::size))?,
            "MemoryHigh" => self.memory_high = unless_empty(value, |text| ceiling(text, values::size))?,
            "CPUWeight" => self.cpu_weight = unless_empty(value, weight)?,
            "IOWeight" => self.io_weight = unless_empty(value, weight)?,
            // The kernel counts whatever has a controller.
            "TasksAccounting" | "MemoryAccounting" | "CPUAccounting" | "IOAccounting" => {
                values::boolean(value).map(drop)?;
            }
            _ => return Ok(false),
        }
        Ok(true)
    }
}

fn unless_empty<T>(value: &str, read: impl Fn(&str) -> Result<T, Expected>) -> Result<Option<T>, Expected> {
    if value.is_empty() { Ok(None) } else { read(value).map(Some) }
}

fn ceiling(value: &str, absolute: impl Fn(&str) -> Result<u64, Expected>) -> Result<Ceiling, Expected> {
    const EXPECTED: Expected = "expected a number, a share of 0.01% to 100%, or infinity";
    if value == "infinity" {
        return Ok(Ceiling::Infinite);
    }
    if let Some(share) = value.strip_suffix('%') {
        return match values::amount(&format!("{}%", share.trim())) {
            Ok(values::Amount::Share(share)) => Ok(Ceiling::Share(share)),
            _ => Err(EXPECTED),
        };
    }
    absolute(value).ok().filter(|&number| number > 0).map(Ceiling::Absolute).ok_or(EXPECTED)
}

fn weight(value: &str) -> Result<u64, Expected> {
    values::number(value).ok().filter(|n| (1..=10_000).contains(n)).ok_or("expected a number from 1 to 10000")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ceilings_and_weights() {
        let mut resources = Resources::default();
        for (key, value) in [
            ("TasksMax", "33%"),
            ("MemoryMax", "1.5G"),
            ("MemoryHigh", "infinity"),
            ("CPUWeight", "20"),
            ("IOWeight", "50"),
            ("IOWeight", ""),
        ] {
            assert_eq!(resources.apply(key, value), Ok(true), "{key}");
        }
        assert_eq!(resources.tasks_max.map(|c| c.on(1000)), Some("330".to_owned()));
        assert_eq!(resources.memory_max.map(|c| c.on(1)), Some((3u64 << 29).to_string()));
        assert_eq!(resources.memory_high.map(|c| c.on(1)), Some("max".to_owned()));
        assert_eq!((resources.cpu_weight, resources.io_weight), (Some(20), None));
        let before = resources.clone();
        for (key, bad) in [
            ("TasksMax", "many"),
            ("TasksMax", "0"),
            ("TasksMax", "101%"),
            ("MemoryMax", "1k"),
            ("CPUWeight", "0"),
            ("IOWeight", "10001"),
            ("CPUWeight", "idle"),
        ] {
            assert!(resources.apply(key, bad).is_err(), "{key}={bad}");
        }
        assert_eq!(resources.apply("CPUQuota", "20%"), Ok(false));
        assert_eq!(resources, before);
    }
}
