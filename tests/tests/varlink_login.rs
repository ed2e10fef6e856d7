//! io.systemd.Login, as pam_systemd calls it since version 258, by a varlink client that shares no code with usher.

use serde_json::{Value, json};
use usher_tests::{ALICE, BOB, Background, Machine, Person, Usherd};

const ADDRESS: &str = "unix:/run/systemd/io.systemd.Login";
const CREATE: &str = "io.systemd.Login.CreateSession";
const RELEASE: &str = "io.systemd.Login.ReleaseSession";

/// What names a process for good: the number of its pidfd's inode, since Linux 6.9, and the boot.
const NAME: &str = "
import json, os, platform, sys
pid = int(sys.argv[1])
name = {'pid': pid}
if tuple(int(part) for part in platform.release().split('.')[:2]) >= (6, 9):
    name['pidfdId'] = os.fstat(os.pidfd_open(pid)).st_ino
    name['bootId'] = open('/proc/sys/kernel/random/boot_id').read().strip().replace('-', '')
print(json.dumps(name))
";

/// Asks for a session for a process, and hangs up without reading the answer that is there.
const HANG_UP: &str = "
import select, socket, sys, time
link = socket.socket(socket.AF_UNIX)
link.connect('/run/systemd/io.systemd.Login')
link.sendall(sys.argv[1].encode() + b'\\0')
select.select([link], [], [])
print('answered', flush=True)
time.sleep(1000)
";

/// The results of a call, or the error's name and what there is to it.
type Answer = Result<Value, (String, String)>;

fn machine(config: &str) -> Machine {
    Machine::builder().config(&format!("[Login]\nUserStopDelaySec=0\n{config}")).boot()
}

/// A request, without what says who the leader is.
fn wish(person: &Person, class: &str) -> Value {
    json!({"UID": person.uid, "Service": "test", "Type": "tty", "Class": class, "TTY": "pts/7"})
}

fn with(mut wish: Value, field: &str, value: impl Into<Value>) -> Value {
    wish[field] = value.into();
    wish
}

/// A process that is in no session and has nothing to do.
fn sleeper(machine: &Machine) -> Background<'_> {
    machine.spawn(&["sleep", "1000"])
}

/// Makes one call as somebody.
fn call(machine: &Machine, user: &str, method: &str, parameters: &Value) -> Answer {
    let parameters = parameters.to_string();
    let words = ["usher-varlink", ADDRESS, method, parameters.as_str()];
    understand(machine.as_user(user, &words).text())
}

fn understand(line: &str) -> Answer {
    let (word, rest) = line.split_once(' ').unwrap();
    if word == "ok" {
        return Ok(serde_json::from_str(rest).unwrap());
    }
    let (name, parameters) = rest.split_once(' ').unwrap();
    Err((name.to_owned(), parameters.to_owned()))
}

fn open(machine: &Machine, wish: &Value) -> Value {
    call(machine, "root", CREATE, wish).unwrap_or_else(|error| panic!("{error:?}\n{}", machine.dump()))
}

/// The error of a CreateSession by root.
fn refused(machine: &Machine, wish: &Value) -> (String, String) {
    match call(machine, "root", CREATE, wish) {
        Err(error) => error,
        Ok(reply) => panic!("{wish}: {reply}\n{}", machine.dump()),
    }
}

/// A caller that is the leader itself, makes more calls one after the other, and lives on.
fn leader<'m>(machine: &'m Machine, calls: &[(&str, &Value)]) -> (Background<'m>, Vec<Answer>) {
    let mut words = vec!["usher-varlink".to_owned(), "--stay".to_owned(), ADDRESS.to_owned()];
    words
        .extend(calls.iter().flat_map(|(method, parameters)| [(*method).to_owned(), parameters.to_string()]));
    let leader = machine.spawn(&words.iter().map(String::as_str).collect::<Vec<_>>());
    machine.wait_for("the answers", || leader.log().lines().count() >= calls.len());
    let answers = leader.log().lines().map(understand).collect();
    (leader, answers)
}

fn session_of(broker: &Usherd<'_>, reply: &Value) -> String {
    reply["Id"].as_str().unwrap_or_else(|| panic!("{reply}\n{}", broker.log())).to_owned()
}

#[test]
fn a_session_for_another_process_lasts_as_long_as_that() {
    let machine = machine("");
    let broker = machine.start_usherd();
    let mut process = sleeper(&machine);
    let pid = process.pid();
    let name = machine.run(&["python3", "-c", NAME, &pid.to_string()]);
    let name: Value = serde_json::from_str(name.text()).unwrap();
    let wish = with(with(wish(&ALICE, "user"), "PID", name), "RemoteHost", "far.example");
    let reply = open(&machine, &wish);
    let id = session_of(&broker, &reply);
    let expected = json!({
        "Id": id, "RuntimePath": "/run/user/1001", "UID": 1001, "Type": "tty", "Class": "user",
    });
    assert_eq!(reply, expected);

    // The answer comes when everything is there.
    assert!(machine.manager(&ALICE).is_some(), "{}", broker.log());
    let active = ["systemctl", "--user", "is-active", "basic.target"];
    let environment = ["env", "XDG_RUNTIME_DIR=/run/user/1001"];
    assert_eq!(machine.as_user("alice", &[&environment[..], &active[..]].concat()).text(), "active");
    assert!(machine.mounted("/run/user/1001").is_some());
    assert_eq!(machine.cgroup_procs(&ALICE.scope(&id)), Some(vec![pid]));
    let state = machine.state(&format!("sessions/{id}"));
    let of = |key: &str| state.get(key).map_or("", String::as_str);
    assert_eq!([of("UID"), of("USER"), of("CLASS"), of("TYPE")], ["1001", "alice", "user", "tty"]);
    assert_eq!([of("SERVICE"), of("TTY"), of("REMOTE")], ["test", "pts/7", "1"]);
    assert_eq!([of("REMOTE_HOST"), of("LEADER")], ["far.example", &pid.to_string()]);
    let shown = machine.run(&["usherctl", "show-session", &id, "-p", "Name", "-p", "Leader", "-p", "State"]);
    assert_eq!(shown.text(), format!("Name=alice\nLeader={pid}\nState=active"));

    // Whoever leads a session, or is in one, gets no other: su, sudo.
    assert_eq!(refused(&machine, &wish).0, "io.systemd.Login.AlreadySessionMember");

    // usherd's death changes nothing, the leader's does.
    let mut broker = broker;
    broker.kill9();
    broker.start();
    assert_eq!(machine.sessions(&ALICE), [id.as_str()]);
    assert_eq!(refused(&machine, &wish).0, "io.systemd.Login.AlreadySessionMember");
    process.kill9();
    machine.wait_gone(&ALICE);
}

#[test]
fn a_session_for_the_caller_itself() {
    let machine = machine("");
    let broker = machine.start_usherd();
    for process in [None, Some(Value::Null)] {
        let mut wish = wish(&BOB, "background_light");
        if let Some(process) = process {
            wish = with(wish, "PID", process);
        }
        let (mut caller, answers) = leader(&machine, &[(CREATE, &wish), (CREATE, &wish)]);
        let reply = answers[0].as_ref().unwrap_or_else(|error| panic!("{error:?}\n{}", machine.dump()));
        let id = session_of(&broker, reply);
        assert_eq!(reply["Class"], "background_light");
        assert_eq!(machine.state_of(&format!("sessions/{id}"), "LEADER"), caller.pid().to_string());
        assert_eq!(machine.manager(&BOB), None, "this class wants none");
        let again = answers[1].as_ref().map_err(|(name, _)| name.as_str());
        assert_eq!(again, Err("io.systemd.Login.AlreadySessionMember"));
        caller.kill9();
        machine.wait_gone(&BOB);
    }
}

#[test]
fn the_light_classes_of_system_users_are_known() {
    let machine = machine("");
    let broker = machine.start_usherd();
    let mut process = sleeper(&machine);
    let reply = open(&machine, &with(wish(&ALICE, "user_light"), "PID", process.pid()));
    let id = session_of(&broker, &reply);
    assert_eq!(reply["Class"], "user_light");
    assert_eq!(machine.state_of(&format!("sessions/{id}"), "CLASS"), "user-light");
    assert_eq!(machine.state_of("users/1001", "DISPLAY"), id, "it may stand for its user");
    assert_eq!(machine.manager(&ALICE), None);
    process.kill9();
    machine.wait_gone(&ALICE);
}

#[test]
fn what_cannot_be_is_refused_by_name_and_changes_nothing() {
    let machine = machine("UserSessionsMax=1\nManager=none\n");
    let broker = machine.start_usherd();
    let process = sleeper(&machine);
    let good = with(wish(&ALICE, "user"), "PID", process.pid());
    let error = |name: &str, more: &str| (name.to_owned(), more.to_owned());
    let invalid = |parameter: &str| error("org.varlink.service.InvalidParameter", parameter);

    let denied = call(&machine, "alice", CREATE, &good);
    assert_eq!(denied, Err(error("org.varlink.service.PermissionDenied", "{}")));
    let own = call(&machine, "alice", CREATE, &wish(&ALICE, "user"));
    assert_eq!(own, Err(error("org.varlink.service.PermissionDenied", "{}")));

    for (field, bad) in [
        ("UID", json!(u32::MAX)),
        ("UID", json!("alice")),
        ("PID", json!(1)),
        ("PID", json!(broker.pid())),
        ("Type", json!("picture")),
        ("Class", json!("lock-screen")),
        ("Class", json!("none")),
        ("Desktop", json!("a\"b")),
        ("Service", json!("a\nb")),
        ("TTY", json!("x".repeat(2000))),
        ("Remote", json!("yes")),
        ("Colour", json!("red")),
    ] {
        assert_eq!(
            refused(&machine, &with(good.clone(), field, bad.clone())),
            invalid(field),
            "{field}: {bad}"
        );
    }
    // One more than there can be; none at all where there are no virtual terminals.
    let placed = with(with(good.clone(), "Seat", "seat0"), "VTNr", 64);
    assert_eq!(refused(&machine, &placed), invalid("VTNr"));
    let no_seat = error("io.systemd.Login.NoSuchSeat", "{}");
    let elsewhere = with(with(good.clone(), "Seat", "seat-other"), "TTY", "tty3");
    assert_eq!(refused(&machine, &elsewhere), no_seat);
    for seat in ["seat-other", "chair"] {
        assert_eq!(refused(&machine, &with(good.clone(), "Seat", seat)), no_seat);
    }

    // Neither a user nor a process of that number: as sd-varlink puts an errno.
    let mut gone = sleeper(&machine);
    gone.kill9();
    let other = json!({"pid": process.pid(), "pidfdId": 1});
    let before = json!({"pid": process.pid(), "bootId": "0".repeat(32)});
    for wish in [
        with(good.clone(), "UID", 4000),
        with(good.clone(), "PID", gone.pid()),
        with(good.clone(), "PID", other),
        with(good.clone(), "PID", before),
    ] {
        let (name, parameters) = refused(&machine, &wish);
        let parameters: Value = serde_json::from_str(&parameters).unwrap();
        let origin = [&parameters["origin"], &parameters["errnoName"]];
        assert_eq!((name.as_str(), &parameters["errno"]), ("io.systemd.System", &json!(3)), "{wish}");
        assert_eq!(origin, ["linux", "ESRCH"], "{wish}");
    }
    assert_eq!(machine.all_sessions(&ALICE), []);
    assert!(!machine.exists("/run/user/1001") && !machine.exists("/run/systemd/users/1001"));

    open(&machine, &good);
    let second = sleeper(&machine);
    let more = with(wish(&ALICE, "user"), "PID", second.pid());
    assert_eq!(refused(&machine, &more), error("io.systemd.Login.TooManySessions", "{}"));
    let unknown = call(&machine, "alice", "io.systemd.Login.SetColour", &json!({}));
    let unknown_method = error("org.varlink.service.MethodNotFound", "io.systemd.Login.SetColour");
    assert_eq!(unknown, Err(unknown_method));
    assert!(broker.log().contains("UserSessionsMax="), "the log says why: {}", broker.log());
}

#[test]
fn only_whoever_is_in_a_session_releases_it() {
    let machine = machine("Manager=none\n");
    let broker = machine.start_usherd();
    let process = sleeper(&machine);
    let other = session_of(&broker, &open(&machine, &with(wish(&BOB, "user"), "PID", process.pid())));
    let no_such = ("io.systemd.Login.NoSuchSession".to_owned(), "{}".to_owned());
    for user in ["root", "bob"] {
        for id in [json!({}), json!({"Id": "self"}), json!({"Id": other}), json!({"Id": "nothing/like/it"})] {
            assert_eq!(call(&machine, user, RELEASE, &id), Err(no_such.clone()), "{user}: {id}");
        }
    }
    let calls = [
        (CREATE, &wish(&ALICE, "user")),
        (RELEASE, &json!({"Id": other})),
        (RELEASE, &json!({"Id": "4711"})),
        (RELEASE, &json!({"Id": "self"})),
        (RELEASE, &json!({})),
    ];
    let (mut caller, answers) = leader(&machine, &calls);
    assert_eq!(
        answers[1].as_ref().map_err(|error| error.0.as_str()),
        Err("org.varlink.service.PermissionDenied")
    );
    assert_eq!(answers[2], Err(no_such));
    assert_eq!(answers[3..], [Ok(json!({})), Ok(json!({}))], "{}", broker.log());
    let id = session_of(&broker, answers[0].as_ref().unwrap());
    let state = |id: &str| machine.run(&["usherctl", "show-session", id, "-p", "State"]).text().to_owned();
    assert_eq!([state(&id), state(&other)], ["State=closing", "State=active"]);
    assert_eq!(machine.sessions(&ALICE), [id]);
    caller.kill9();
    machine.wait_gone(&ALICE);
}

#[test]
fn a_login_that_has_not_read_the_answer_has_no_session() {
    let machine = machine("Manager=none\n");
    let broker = machine.start_usherd();
    let mut process = sleeper(&machine);
    let request = json!({"method": CREATE, "parameters": with(wish(&ALICE, "user"), "PID", process.pid())});
    let mut caller = machine.spawn(&["python3", "-c", HANG_UP, &request.to_string()]);
    machine.wait_for("the answer", || caller.log().contains("answered"));
    caller.kill9();
    machine.wait_gone(&ALICE);
    assert!(process.is_running(), "{}", broker.log());
}

#[test]
fn the_service_describes_itself() {
    let machine = machine("");
    let _broker = machine.start_usherd();
    let described = machine.as_user("alice", &["usher-varlink", ADDRESS, "--describe", "io.systemd.Login"]);
    let lines: Vec<_> = described.stdout.lines().collect();
    let interfaces = "interfaces io.usher.Broker io.systemd.Login io.systemd org.varlink.service";
    assert_eq!(lines[0], interfaces);
    for line in ["interface io.systemd.Login", "method CreateSession(", "error AlreadySessionMember ()"] {
        assert!(lines.contains(&line), "{}", described.stdout);
    }
    let mode = machine.run(&["stat", "--format=%a %U %F", "/run/systemd/io.systemd.Login"]);
    assert_eq!(mode.text(), "666 root socket");
    assert!(!machine.exists("/run/systemd/io.systemd.Login.new"));
}

#[test]
fn the_policy_of_a_service_holds_here_too() {
    let services = "[Service test]\nClass=user-light\nCgroup=off\n[Service no]\nClass=none\n";
    let machine = machine(services);
    let _broker = machine.start_usherd();
    let mut process = sleeper(&machine);
    let reply = open(&machine, &with(wish(&ALICE, "user"), "PID", process.pid()));
    assert_eq!(reply["Class"], "user_light", "{reply}");
    assert_eq!(machine.cgroup_procs(&ALICE.slice()), None);
    assert_eq!(machine.manager(&ALICE), None);
    let other = sleeper(&machine);
    let none = with(with(wish(&BOB, "user"), "PID", other.pid()), "Service", "no");
    assert_eq!(refused(&machine, &none).0, "io.systemd.Login.AlreadySessionMember");
    assert!(!machine.exists("/run/systemd/users/1002"));
    process.kill9();
    machine.wait_gone(&ALICE);
}
