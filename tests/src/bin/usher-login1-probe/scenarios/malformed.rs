//! Objects, interfaces, methods, properties and arguments that are not there or not right.

use anyhow::Result;

use crate::wire::Arg;
use crate::world::{ALICE, Login, MANAGER, PROPERTIES, SEAT0, World, s};

const BASE: &str = "/org/freedesktop/login1";
const INTROSPECT: &str = "org.freedesktop.DBus.Introspectable.Introspect";
const PEER: &str = "org.freedesktop.DBus.Peer";

pub(crate) fn malformed(w: &mut World) -> Result<()> {
    let root = &mut w.root()?;
    let leader = w.client("leader", ALICE)?;
    let session = w.create(root, &Login::of(ALICE, &leader))?;
    w.section("paths");
    for (path, interface) in [
        ("session/nosuch", "Session"),
        ("session/_", "Session"),
        ("session/_3", "Session"),
        ("session/_zz", "Session"),
        ("session", "Session"),
        ("session/x/y", "Session"),
        ("user/_1001", "User"),
        ("user/1001", "User"),
        ("user/_01001", "User"),
        ("user/_1002", "User"),
        ("user/_31001", "User"),
        ("user/_4294967295", "User"),
        ("user/_99999999999", "User"),
        ("user/_x", "User"),
        ("user/alice", "User"),
        ("user", "User"),
        ("seat/seat_30", "Seat"),
        ("seat/seat1", "Seat"),
        ("seat", "Seat"),
        ("nosuch", "Manager"),
    ] {
        w.get(root, &format!("{BASE}/{path}"), interface, "Id")?;
    }
    w.call(root, "/", "Manager.ListSeats", &[])?;
    w.call(root, "/org/freedesktop", "Manager.ListSeats", &[])?;
    w.section("the right object with the wrong interface");
    w.call(root, MANAGER, "Session.Lock", &[])?;
    w.call(root, &session.path, "Manager.ListSeats", &[])?;
    w.call(root, &session.path, "NoSuch.Method", &[])?;
    w.call(root, SEAT0, "User.Terminate", &[])?;
    w.get(root, MANAGER, "NoSuch", "Id")?;
    w.get(root, &session.path, "Manager", "NAutoVTs")?;
    w.get_all(root, &session.path, "NoSuch")?;
    w.call(root, &session.path, &format!("{PROPERTIES}.GetAll"), &[s("")])?;
    w.call(root, SEAT0, &format!("{PROPERTIES}.Get"), &[s(""), s("Id")])?;
    w.section("methods and properties that are not there");
    w.manager(root, "NoSuchMethod", &[])?;
    w.manager(root, "listsessions", &[])?;
    w.session(root, &session, "NoSuchMethod", &[])?;
    w.call(root, MANAGER, &format!("{PROPERTIES}.NoSuch"), &[])?;
    w.call(root, MANAGER, &format!("{PEER}.NoSuch"), &[])?;
    w.get(root, MANAGER, "Manager", "NoSuch")?;
    w.get(root, &session.path, "Session", "NoSuch")?;
    w.get(root, &session.path, "Session", "id")?;
    w.section("properties that are only read");
    let set = format!("{PROPERTIES}.Set");
    let no = Arg::V(Box::new(Arg::B(false)));
    let text = Arg::V(Box::new(s("x")));
    for (interface, path, name, value) in [
        ("Session", session.path.as_str(), "Active", &no),
        ("Session", &session.path, "NoSuch", &no),
        ("Manager", MANAGER, "NAutoVTs", &no),
        ("Manager", MANAGER, "EnableWallMessages", &text),
        ("Manager", MANAGER, "EnableWallMessages", &no),
        ("Manager", MANAGER, "WallMessage", &text),
        ("NoSuch", MANAGER, "WallMessage", &text),
    ] {
        let args = [s(&format!("org.freedesktop.login1.{interface}")), s(name), value.clone()];
        w.call(root, path, &set, &args)?;
    }
    w.get(root, MANAGER, "Manager", "EnableWallMessages")?;
    w.get(root, MANAGER, "Manager", "WallMessage")?;
    w.section("arguments of other types");
    w.manager(root, "GetSession", &[])?;
    w.manager(root, "GetSession", &[Arg::U(1)])?;
    w.manager(root, "GetSession", &[s("a"), s("b")])?;
    w.manager(root, "GetUser", &[s("alice")])?;
    w.manager(root, "ListSessions", &[s("x")])?;
    w.session(root, &session, "SetIdleHint", &[s("x")])?;
    w.session(root, &session, "Kill", &[s("all"), Arg::U(15)])?;
    w.call(root, MANAGER, &format!("{PROPERTIES}.Get"), &[s("x")])?;
    w.call(root, MANAGER, &format!("{PROPERTIES}.GetAll"), &[])?;
    w.call(root, MANAGER, INTROSPECT, &[s("x")])?;
    w.section("what every object has");
    w.call(root, MANAGER, &format!("{PEER}.Ping"), &[])?;
    w.call(root, &session.path, &format!("{PEER}.Ping"), &[])?;
    w.call(root, "/no/such/object", &format!("{PEER}.Ping"), &[])?;
    w.call(root, MANAGER, "org.freedesktop.DBus.ObjectManager.GetManagedObjects", &[])?;
    w.section("the log");
    let log = "org.freedesktop.LogControl1";
    w.call(root, "/org/freedesktop/LogControl1", &format!("{PROPERTIES}.GetAll"), &[s(log)])?;
    for (name, value) in
        [("LogLevel", "loud"), ("LogLevel", "notice"), ("LogTarget", "nowhere"), ("SyslogIdentifier", "x")]
    {
        let args = [s(log), s(name), Arg::V(Box::new(s(value)))];
        w.call(root, "/org/freedesktop/LogControl1", &set, &args)?;
    }
    w.call(root, "/org/freedesktop/LogControl1", &format!("{PROPERTIES}.Get"), &[s(log), s("LogLevel")])
        .map(drop)
}
