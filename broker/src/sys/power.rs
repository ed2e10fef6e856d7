//! Whether the machine runs on its own batteries: /sys/class/power_supply (the kernel's
//! Documentation/ABI/testing/sysfs-class-power).

use std::fs;
use std::path::Path;

const POWER_SUPPLIES: &str = "/sys/class/power_supply";

/// Whether the machine has power from outside. So it has if no battery is being emptied.
pub fn on_external_power() -> bool {
    outside(Path::new(POWER_SUPPLIES))
}

fn outside(supplies: &Path) -> bool {
    let Ok(supplies) = fs::read_dir(supplies) else { return true };
    let mut discharging = false;
    for supply in supplies.flatten().map(|supply| supply.path()) {
        match attribute(&supply, "type").as_deref() {
            Some("Battery") => discharging |= is_discharging(&supply),
            // A port that gives power to a telephone is online, too.
            Some("USB") if gives_power(&supply) => {}
            Some(_) if attribute(&supply, "online").is_some_and(|online| online != "0") => return true,
            Some(_) | None => {}
        }
    }
    !discharging
}

/// Whether a battery runs the machine, not a mouse, and is being emptied.
fn is_discharging(battery: &Path) -> bool {
    let is = |name, value| attribute(battery, name).as_deref() == Some(value);
    let idle = attribute(battery, "status").is_some_and(|status| status != "Discharging");
    !is("scope", "Device") && !is("present", "0") && !idle
}

/// Whether all type-C ports behind a supply feed what is plugged in (sysfs-class-typec, `power_role`).
fn gives_power(supply: &Path) -> bool {
    let Ok(ports) = fs::read_dir(supply.join("device/typec")) else { return false };
    let mut roles = ports.flatten().filter_map(|port| attribute(&port.path(), "power_role")).peekable();
    roles.peek().is_some() && roles.all(|role| role.contains("[source]"))
}

fn attribute(device: &Path, name: &str) -> Option<String> {
    fs::read_to_string(device.join(name)).ok().map(|text| text.trim_end().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether a machine with these power supplies has power from outside; of each, its attributes' names and values.
    fn machine(supplies: &[&[(&str, &str)]]) -> bool {
        let sys = tempfile::tempdir().unwrap();
        for (number, attributes) in supplies.iter().enumerate() {
            for (name, value) in *attributes {
                let file = sys.path().join(format!("supply{number}/{name}"));
                fs::create_dir_all(file.parent().unwrap()).unwrap();
                fs::write(file, format!("{value}\n")).unwrap();
            }
        }
        outside(sys.path())
    }

    #[test]
    fn who_runs_on_batteries() {
        let emptied: &[_] = &[("type", "Battery"), ("present", "1"), ("status", "Discharging")];
        let unknown: &[_] = &[("type", "Battery")];
        assert!(!machine(&[emptied]));
        assert!(!machine(&[unknown]));
        assert!(!machine(&[&[("type", "Mains"), ("online", "0")], emptied]));
        let feeding: &[_] = &[
            ("type", "USB"),
            ("online", "1"),
            ("device/typec/port0/power_role", "[source] sink"),
            ("device/typec/port1/power_role", "[source] sink"),
        ];
        assert!(!machine(&[feeding, emptied]));
    }

    #[test]
    fn who_does_not() {
        let emptied: &[_] = &[("type", "Battery"), ("status", "Discharging")];
        assert!(machine(&[]));
        assert!(outside(Path::new("/nonexistent")));
        assert!(machine(&[&[("type", "Mains"), ("online", "0")]]));
        assert!(machine(&[&[("type", "Mains"), ("online", "1")], emptied]));
        assert!(machine(&[emptied, &[("type", "UPS"), ("online", "1")]]));
        assert!(machine(&[&[("type", "Battery"), ("status", "Charging")]]));
        assert!(machine(&[&[("type", "Battery"), ("status", "Discharging"), ("present", "0")]]));
        assert!(machine(&[&[("type", "Battery"), ("status", "Discharging"), ("scope", "Device")]]));
        let fed: &[_] = &[
            ("type", "USB"),
            ("online", "1"),
            ("device/typec/port0/power_role", "source [sink]"),
            ("device/typec/port1/power_role", "[source] sink"),
        ];
        assert!(machine(&[fed, emptied]));
    }
}
