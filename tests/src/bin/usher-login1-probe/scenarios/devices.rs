//! Devices where there are none to give.

use anyhow::Result;

use crate::client::Client;
use crate::wire::Arg;
use crate::world::{ALICE, Login, Session, World, s};

pub(crate) fn devices(w: &mut World) -> Result<()> {
    let root = &mut w.root()?;
    let mut one = w.client("one", ALICE)?;
    let mut two = w.client("two", ALICE)?;
    let seated = w.create(root, &Login { kind: "wayland", seat: "seat0", ..Login::of(ALICE, &one) })?;
    let remote = w.create(root, &Login { kind: "wayland", ..Login::of(ALICE, &two) })?;
    w.section("without control");
    requests(w, &mut one, &seated)?;
    for (title, who, session) in [("on a seat", &mut one, &seated), ("without a seat", &mut two, &remote)] {
        w.section(title);
        w.session(who, session, "TakeControl", &[Arg::B(false)])?;
        requests(w, who, session)?;
    }
    w.section("classes");
    let leader = w.client("leader", ALICE)?;
    let background = w.create(root, &Login { class: "background", ..Login::of(ALICE, &leader) })?;
    w.session(root, &background, "TakeControl", &[Arg::B(false)])?;
    requests(w, root, &background)?;
    w.section("brightness");
    for (who, session) in [(&mut *root, &seated), (&mut one, &seated), (&mut two, &remote)] {
        for (subsystem, name) in [
            ("backlight", "nosuch"),
            ("leds", "nosuch"),
            ("leds", "../x"),
            ("leds", ""),
            ("net", "lo"),
            ("", ""),
        ] {
            w.session(who, session, "SetBrightness", &[s(subsystem), s(name), Arg::U(1)])?;
        }
    }
    w.section("assignment to seats");
    for (seat, path) in [
        ("seat0", "/sys/devices/virtual/mem/null"),
        ("seat0", "/dev/null"),
        ("seat0", "/sys/nosuch"),
        ("seat0", "relative"),
        ("no seat", "/sys/devices/virtual/mem/null"),
        ("", "/sys/devices/virtual/mem/null"),
    ] {
        w.manager(root, "AttachDevice", &[s(seat), s(path), Arg::B(false)])?;
    }
    w.manager(root, "FlushDevices", &[Arg::B(false)]).map(drop)
}

fn requests(w: &mut World, who: &mut Client, session: &Session) -> Result<()> {
    // Null, a terminal, a graphics card and an input device that nobody has, and no numbers of devices at all.
    for (major, minor) in [(1, 3), (5, 0), (226, 63), (13, 95), (u32::MAX, 0), (0, u32::MAX)] {
        w.session(who, session, "TakeDevice", &[Arg::U(major), Arg::U(minor)])?;
    }
    for method in ["ReleaseDevice", "PauseDeviceComplete"] {
        w.session(who, session, method, &[Arg::U(226), Arg::U(0)])?;
        w.session(who, session, method, &[Arg::U(u32::MAX), Arg::U(0)])?;
    }
    Ok(())
}
