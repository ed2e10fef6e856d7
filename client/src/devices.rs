//! The devices of a seat, as udev's database and sysfs tell them: what is tagged `seat` and is not given to another seat
//! (sd-login(3), "multi-seat"). Without udev there are none.
//!
//! Everything here may vanish while it is read: what has gone is left out, never an error.

use std::fs;
use std::path::{Path, PathBuf};

use usher_protocol::ids::SeatId;

/// A device, and those below it that are the seat's, too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    /// Its directory in sysfs.
    pub path: PathBuf,
    /// Its subsystem: `input`, `drm`.
    pub subsystem: String,
    /// What the kernel calls it: `input3`, `card0`.
    pub kernel_name: String,
    /// What it calls itself, where it does.
    pub name: Option<String>,
    /// Whether a seat needs one like it to exist.
    pub master: bool,
    /// Those below it, by path.
    pub children: Vec<Device>,
}

/// The devices of a seat, those that are below none of the others, by path.
pub fn of_seat(seat: &SeatId) -> Vec<Device> {
    read(seat, Path::new("/run/udev"), Path::new("/sys"))
}

fn read(seat: &SeatId, udev: &Path, sysfs: &Path) -> Vec<Device> {
    let tagged = fs::read_dir(udev.join("tags/seat")).into_iter().flatten().flatten();
    let ids = tagged.filter_map(|entry| entry.file_name().into_string().ok());
    let mut devices: Vec<Device> = ids.filter_map(|id| device(&id, seat, udev, sysfs)).collect();
    devices.sort_by(|a, b| a.path.cmp(&b.path));
    nested(devices)
}

/// A device by its id in udev's database, if it is the seat's.
fn device(id: &str, seat: &SeatId, udev: &Path, sysfs: &Path) -> Option<Device> {
    let entry = text(&udev.join("data").join(id))?;
    let entry = Entry::parse(&entry);
    if !entry.has_tag("seat") || entry.seat != seat.as_str() {
        return None;
    }
    let path = fs::canonicalize(directory(id, sysfs)?).ok()?;
    let subsystem = fs::read_link(path.join("subsystem")).ok()?;
    let name = text(&path.join("name")).or_else(|| text(&path.join("id")));
    Some(Device {
        subsystem: subsystem.file_name()?.to_string_lossy().into_owned(),
        // A slash cannot stand in a directory's name.
        kernel_name: path.file_name()?.to_string_lossy().replace('!', "/"),
        name: name.map(|name| name.trim_end().to_owned()),
        master: entry.has_tag("master-of-seat"),
        children: Vec::new(),
        path,
    })
}

/// Where in sysfs a device is that udev's database calls so: `c13:64`, `b8:0`, `n2`, `+input:input3`.
fn directory(id: &str, sysfs: &Path) -> Option<PathBuf> {
    let kind = id.chars().next()?;
    let rest = id.get(kind.len_utf8()..)?;
    match kind {
        'c' => Some(sysfs.join("dev/char").join(rest)),
        'b' => Some(sysfs.join("dev/block").join(rest)),
        'n' => fs::read_dir(sysfs.join("class/net"))
            .ok()?
            .flatten()
            .map(|entry| entry.path())
            .find(|path| text(&path.join("ifindex")).is_some_and(|index| index.trim_end() == rest)),
        '+' => {
            let (subsystem, name) = rest.split_once(':')?;
            let places =
                [sysfs.join("bus").join(subsystem).join("devices"), sysfs.join("class").join(subsystem)];
            places.into_iter().map(|place| place.join(name)).find(|path| path.exists())
        }
        _ => None,
    }
}

/// A file's content, if it can be read.
fn text(path: &Path) -> Option<String> {
    Some(String::from_utf8_lossy(&fs::read(path).ok()?).into_owned())
}

/// What udev's database has of a device, as far as it matters here.
#[derive(Debug)]
struct Entry<'a> {
    /// Its seat.
    seat: &'a str,
    /// Its tags, and those of them that it has at present; udev before version 247 does not tell the two apart.
    tags: Vec<&'a str>,
    current: Vec<&'a str>,
}

impl<'a> Entry<'a> {
    fn parse(text: &'a str) -> Self {
        let values = |key: &'static str| text.lines().filter_map(move |line| line.strip_prefix(key));
        let seat = values("E:ID_SEAT=").next_back().filter(|seat| !seat.is_empty());
        Self { seat: seat.unwrap_or("seat0"), tags: values("G:").collect(), current: values("Q:").collect() }
    }

    fn has_tag(&self, tag: &str) -> bool {
        let tags = if self.current.is_empty() { &self.tags } else { &self.current };
        tags.contains(&tag)
    }
}

/// Sorted devices, each below the nearest one above it.
fn nested(devices: Vec<Device>) -> Vec<Device> {
    let mut roots: Vec<Device> = Vec::new();
    for device in devices {
        let mut level = &mut roots;
        // Only the last one can be above the next in the order of paths.
        while level.last().is_some_and(|last| device.path.starts_with(&last.path)) {
            let last = level.len() - 1;
            level = &mut level[last].children;
        }
        level.push(device);
    }
    roots
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    /// A machine's udev database and sysfs.
    struct Fake(tempfile::TempDir);

    impl Fake {
        fn new() -> Self {
            let fake = Self(tempfile::tempdir().expect("a directory"));
            for directory in ["udev/data", "udev/tags/seat", "sys/dev/char", "sys/class/net"] {
                fs::create_dir_all(fake.0.path().join(directory)).expect("a directory");
            }
            fake
        }

        /// A device that udev knows.
        fn add(&self, id: &str, link: &str, path: &str, subsystem: &str, entry: &str) {
            let path = self.0.path().join("sys/devices").join(path);
            let class = self.0.path().join("sys/class").join(subsystem);
            let link = self.0.path().join("sys").join(link);
            for directory in [&path, &class, link.parent().expect("a parent")] {
                fs::create_dir_all(directory).expect("a directory");
            }
            symlink(&path, link).expect("a link");
            symlink(class, path.join("subsystem")).expect("a link");
            fs::write(self.0.path().join("udev/data").join(id), entry).expect("a file");
            fs::write(self.0.path().join("udev/tags/seat").join(id), "").expect("a file");
        }

        fn of(&self, seat: &str) -> Vec<Device> {
            let seat = seat.parse().expect("a seat");
            read(&seat, &self.0.path().join("udev"), &self.0.path().join("sys"))
        }
    }

    fn names(devices: &[Device]) -> Vec<String> {
        devices.iter().map(|d| format!("{}:{}", d.subsystem, d.kernel_name)).collect()
    }

    #[test]
    fn devices_hang_below_the_nearest_one_of_the_same_seat() {
        let fake = Fake::new();
        let tags = "G:seat\nG:master-of-seat\nQ:seat\nQ:master-of-seat\nV:1\n";
        fake.add("c226:0", "dev/char/226:0", "pci0/drm/card0", "drm", tags);
        fake.add("+pci:pci0", "bus/pci/devices/pci0", "pci0", "pci", "G:seat\n");
        fake.add("+input:input3", "class/input/input3", "usb1/input3", "input", "E:ID_SEAT=\nG:seat\n");
        fake.add("n7", "class/net/eth0", "usb1/net", "net", "G:seat\nQ:seat\nE:ID_SEAT=seat-b\n");
        // Tagged once, no longer.
        fake.add("c29:0", "dev/char/29:0", "fb0", "graphics", "G:seat\nQ:uaccess\nV:1\n");
        let devices = fake.0.path().join("sys/devices");
        fs::write(devices.join("usb1/input3/name"), "A Keyboard\n").expect("a file");
        fs::write(devices.join("usb1/net/ifindex"), "7\n").expect("a file");

        let roots = fake.of("seat0");
        assert_eq!(names(&roots), ["pci:pci0", "input:input3"]);
        assert_eq!(names(&roots[0].children), ["drm:card0"]);
        assert!(roots[0].children[0].master && !roots[0].master);
        assert_eq!(roots[1].name.as_deref(), Some("A Keyboard"));
        assert_eq!(names(&fake.of("seat-b")), ["net:net"]);
        assert_eq!(fake.of("seat-c"), []);
    }

    #[test]
    fn what_is_not_there_is_left_out() {
        let fake = Fake::new();
        fake.add("c13:64", "dev/char/13:64", "event0", "input", "G:seat\n");
        fs::remove_dir_all(fake.0.path().join("sys/devices/event0")).expect("removed");
        for id in ["c13:65", "+input", "+input:nosuch", "n9", "x", "é1"] {
            fs::write(fake.0.path().join("udev/data").join(id), "G:seat\n").expect("a file");
            fs::write(fake.0.path().join("udev/tags/seat").join(id), "").expect("a file");
        }
        fs::write(fake.0.path().join("udev/tags/seat/c1:1"), "").expect("a file");
        assert_eq!(fake.of("seat0"), []);
        assert_eq!(read(&SeatId::seat0(), Path::new("/nonexistent"), Path::new("/nonexistent")), []);
    }
}
