//! libseat with its logind backend, unmodified (Debian's libseat1): what a compositor does first, up to the devices, which
//! usherd does not hand out yet.
//!
//! Of the property Active libseat 0.7 is told and takes no notice: it disables its seat when a DRM device of it is paused. So
//! what is tested of a switch is that it is told on the path that libseat listens to.

use usher_tests::{Background, Machine, PamLogin};

/// Opens the seat as alice in the session that is its first argument (its cgroup the second), says what happens, and does
/// what it reads in a file, a line each: `switch N`, `device PATH`, `close`.
const CLIENT: &str = r#"
import ctypes, os, select, sys, time
open(sys.argv[2] + "/cgroup.procs", "w").write(str(os.getpid()))
os.setgid(1001); os.setuid(1001)
os.environ.update(XDG_SESSION_ID=sys.argv[1], XDG_SESSION_TYPE="wayland", LIBSEAT_BACKEND="logind")
libseat = ctypes.CDLL("libseat.so.1", use_errno=True)
libseat.libseat_seat_name.restype = ctypes.c_char_p
libseat.libseat_open_seat.restype = ctypes.c_void_p
Callback = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p)
class Listener(ctypes.Structure):
    _fields_ = [("enable", Callback), ("disable", Callback)]
def enabled(seat, data):
    print("enabled", flush=True)
def disabled(seat, data):
    print("disabled", flush=True)
    libseat.libseat_disable_seat(ctypes.c_void_p(seat))
listener = Listener(Callback(enabled), Callback(disabled))
LOG = ctypes.CFUNCTYPE(None, ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p)
libseat.libseat_set_log_level(3)
seat = libseat.libseat_open_seat(ctypes.byref(listener), None)
if not seat:
    sys.exit("refused %d" % ctypes.get_errno())
seat = ctypes.c_void_p(seat)
print("opened", libseat.libseat_seat_name(seat).decode(), flush=True)
poll = select.poll()
poll.register(libseat.libseat_get_fd(seat), select.POLLIN)
done = 0
while True:
    libseat.libseat_dispatch(seat, 0)
    poll.poll(20)
    lines = open("/run/orders").read().splitlines() if os.path.exists("/run/orders") else []
    for line in lines[done:]:
        word, *rest = line.split()
        if word == "switch":
            code = libseat.libseat_switch_session(seat, int(rest[0]))
        elif word == "device":
            fd = ctypes.c_int(-1)
            code = libseat.libseat_open_device(seat, rest[0].encode(), ctypes.byref(fd))
        elif word == "close":
            code = libseat.libseat_close_seat(seat)
        print("did", line, code, ctypes.get_errno() if code < 0 else 0, flush=True)
        if word == "close":
            time.sleep(1000)
    done = max(done, len(lines))
"#;

fn machine() -> Machine {
    let machine = Machine::builder()
        .config("[Login]\nUserStopDelaySec=0\nManager=none\n")
        .file("/etc/client.py", CLIENT, 0o644, 0)
        .file("/etc/seat", "XDG_SEAT=seat0\nXDG_SESSION_TYPE=wayland\n", 0o644, 0)
        .pam_line("lightdm", "session required pam_env.so readenv=1 envfile=/etc/seat")
        .pam_line("lightdm", "session optional pam_usher.so")
        .boot();
    // Nothing is to depend on what is on the host's screen.
    machine.sh("! [ -e /dev/tty0 ] || { umount /dev/tty0 && rm /dev/tty0; }");
    machine
}

fn wait_on_bus(machine: &Machine) {
    machine.wait_for("usherd on the bus", || {
        machine.try_run(&["busctl", "status", "org.freedesktop.login1"]).ok()
    });
}

fn at_the_seat<'m>(machine: &'m Machine, user: &str) -> (PamLogin<'m>, String) {
    let mut login = machine.pam_login_by("lightdm", user);
    let id = login.session();
    (login, id)
}

/// A compositor of alice's in that session.
fn compositor<'m>(machine: &'m Machine, session: &str) -> Background<'m> {
    let scope = format!("/sys/fs/cgroup/user.slice/user-1001.slice/session-{session}.scope");
    machine.spawn(&["/usr/bin/python3", "/etc/client.py", session, &scope])
}

fn count(compositor: &Background<'_>, word: &str) -> usize {
    compositor.log().lines().filter(|line| *line == word).count()
}

/// Has it do something: what came of it.
fn order(machine: &Machine, compositor: &Background<'_>, order: &str) -> String {
    machine.sh(&format!("echo '{order}' >> /run/orders"));
    let start = format!("did {order} ");
    machine.wait_for(order, || compositor.log().contains(&start));
    let log = compositor.log();
    log.lines().find_map(|line| line.strip_prefix(&start)).unwrap_or_default().to_owned()
}

#[test]
fn a_compositor_opens_its_seat_and_hears_who_is_in_front() {
    let machine = machine();
    let _bus = machine.start_dbus();
    let _usherd = machine.start_usherd();
    wait_on_bus(&machine);
    let (_alices, alice) = at_the_seat(&machine, "alice");
    let path = format!("/org/freedesktop/login1/session/_3{alice}");
    let rule =
        format!("type='signal',sender='org.freedesktop.login1',path='{path}',member='PropertiesChanged'");
    let listener = machine.spawn(&["dbus-monitor", "--system", &rule]);
    machine.wait_for("the listener", || listener.log().contains("NameLost"));
    // The values of Active that were told, in order.
    let told = || {
        let words: Vec<_> = listener.log().split_whitespace().map(str::to_owned).collect();
        let values = words.windows(4).filter(|words| words[0] == "\"Active\"");
        values.map(|words| words[3].clone()).collect::<Vec<_>>().join(" ")
    };
    let compositor = compositor(&machine, &alice);
    machine.wait_for("the seat to be opened", || compositor.log().contains("opened seat0\n"));
    machine.wait_for("it to be enabled", || count(&compositor, "enabled") == 1);
    let file = format!("sessions/{alice}");
    assert!(machine.state_of(&file, "CONTROLLER").starts_with(':'));
    assert_eq!(machine.state_of(&file, "TYPE"), "wayland");
    // Nobody else controls the session beside it.
    let take = ["busctl", "call", "org.freedesktop.login1", &path, "org.freedesktop.login1.Session"];
    let second = machine.try_as_user("alice", &[&take[..], &["TakeControl", "b", "false"]].concat());
    assert!(!second.ok(), "{second}");

    // Somebody else sits down in front of it, and it gets back what was its own.
    let (_bobs, bob) = at_the_seat(&machine, "bob");
    machine.wait_for("word of that", || told() == "false");
    machine.run(&["usherctl", "activate", &alice]);
    machine.wait_for("word of the return", || told() == "false true");
    assert_eq!(machine.state_of("seats/seat0", "ACTIVE"), alice);

    // It lets the other one have the seat, by the number that the other one has there.
    let position = machine.state_of(&format!("sessions/{bob}"), "POSITION");
    assert!(position.parse::<u32>().unwrap() > 0);
    assert_eq!(order(&machine, &compositor, &format!("switch {position}")), "0 0");
    machine.wait_for("the switch", || machine.state_of("seats/seat0", "ACTIVE") == bob);
    machine.wait_for("word of the switch", || told() == "false true false");

    assert_eq!(order(&machine, &compositor, "close"), "0 0");
    machine.wait_for("control to be given up", || machine.state_of(&file, "CONTROLLER").is_empty());
}

#[test]
fn devices_are_refused_with_an_error() {
    let machine = machine();
    let _bus = machine.start_dbus();
    let _usherd = machine.start_usherd();
    wait_on_bus(&machine);
    let (_alices, alice) = at_the_seat(&machine, "alice");
    let mut compositor = compositor(&machine, &alice);
    machine.wait_for("it to be enabled", || count(&compositor, "enabled") == 1);
    // libseat says -1, whatever the reason; it and the session live on.
    let answer = order(&machine, &compositor, "device /dev/null");
    assert!(answer.starts_with("-1 "), "{answer}\n{}", compositor.log());
    assert!(compositor.is_running());
    assert_eq!(count(&compositor, "disabled"), 0);
    // It dies in control: the session is free for the next one.
    compositor.kill9();
    let file = format!("sessions/{alice}");
    machine.wait_for("control to be free", || machine.state_of(&file, "CONTROLLER").is_empty());
    let next = self::compositor(&machine, &alice);
    machine.wait_for("the next one", || next.log().contains("opened seat0\n"));
}

#[test]
fn a_session_elsewhere_has_no_seat_to_open() {
    let machine = machine();
    let _bus = machine.start_dbus();
    let _usherd = machine.start_usherd();
    wait_on_bus(&machine);
    let mut login = machine.pam_login("alice");
    let id = login.session();
    let mut compositor = compositor(&machine, &id);
    assert_eq!(compositor.wait(usher_tests::DEADLINE), 1, "{}", compositor.log());
    assert!(compositor.log().contains("refused"), "{}", compositor.log());
    assert_eq!(machine.state_of(&format!("sessions/{id}"), "CONTROLLER"), "");
}
