//! pam_sm_open_session against usherds of every kind.

use std::fs::symlink_metadata;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixListener;
use std::time::{Duration, Instant};

use usher_protocol::messages::{OpenPhase, OpenSessionReply, Refusal};
use usher_protocol::wire::{encode_error, encode_reply};

use super::fake_broker::{FakeBroker, both_replies, quick, reply, say, say_and_hang, token_of_7};
use super::fake_pam::FakePam;
use crate::open::open;
use crate::pam::{Code, Item};

/// alice, who owns the test's directories, on a terminal.
fn alice(runtime_dir: &tempfile::TempDir) -> FakePam {
    let uid = symlink_metadata(runtime_dir.path()).map(|m| m.uid()).unwrap_or_default();
    FakePam::new(uid).item(Item::Service, "login").item(Item::Tty, "/dev/tty3")
}

fn runtime_dir() -> (tempfile::TempDir, String) {
    let dir = tempfile::tempdir().unwrap_or_else(|e| unreachable!("{e}"));
    let path = dir.path().to_string_lossy().into_owned();
    (dir, path)
}

fn names(pam: &FakePam) -> Vec<&str> {
    pam.put.iter().map(|(name, _)| name.as_str()).collect()
}

/// Nothing happened, but for one line that names usherd and the phase.
fn assert_went_on_without(pam: &FakePam, code: Code, phase: &str) {
    assert_eq!(code, Code::SUCCESS);
    assert_eq!((pam.put.len(), &pam.session), (0, &None));
    let line = pam.only_line();
    assert!(line.contains("usherd") && line.contains(phase) && line.contains("alice"), "{line}");
}

#[test]
fn a_login_gets_its_session() {
    let (dir, path) = runtime_dir();
    let _bus = UnixListener::bind(dir.path().join("bus"));
    let mut pam = alice(&dir).env("XDG_SESSION_DESKTOP", "sway").env("XDG_SESSION_CLASS", "greeter");
    let broker = FakeBroker::start([say(both_replies(&path))]);
    assert_eq!(open(&mut pam, &[], &broker.client()), Code::SUCCESS);
    let expected = [
        ("XDG_SESSION_ID", "7".to_owned()),
        ("XDG_RUNTIME_DIR", path.clone()),
        ("DBUS_SESSION_BUS_ADDRESS", format!("unix:path={path}/bus")),
        ("XDG_SESSION_TYPE", "tty".to_owned()),
        ("XDG_SESSION_CLASS", "greeter".to_owned()),
        ("XDG_SESSION_DESKTOP", "sway".to_owned()),
        ("XDG_SEAT", "seat0".to_owned()),
        ("XDG_VTNR", "3".to_owned()),
    ];
    assert_eq!(pam.put, expected.map(|(name, value)| (name.to_owned(), value)));
    assert_eq!(pam.session_id(), Some(7.into()));
    let token = pam.session.as_ref().and_then(|session| session.token.clone());
    assert_eq!(token, Some(token_of_7()), "what closes it");
    assert!(!format!("{pam:?}").contains(token_of_7().expose()), "nor is it shown");
    assert!(pam.lines().is_empty(), "{:?}", pam.lines());
    let request = broker.session_request();
    assert_eq!((request.tty.as_str(), request.home.as_str()), ("tty3", "/home/alice"));
    assert!(!request.retry);
}

#[test]
fn what_is_empty_is_not_set() {
    let (dir, path) = runtime_dir();
    let bare = OpenSessionReply {
        token: None,
        runtime_path: None,
        seat: None,
        vtnr: None,
        ..reply(OpenPhase::Settled, &path)
    };
    let broker = FakeBroker::start([say(encode_reply(&bare, false).unwrap_or_default())]);
    let mut pam = alice(&dir);
    assert_eq!(open(&mut pam, &[], &broker.client()), Code::SUCCESS);
    assert_eq!(names(&pam), ["XDG_SESSION_ID", "XDG_SESSION_TYPE", "XDG_SESSION_CLASS"]);
}

#[test]
fn a_login_inside_a_session_is_left_alone() {
    let (dir, path) = runtime_dir();
    let existing = OpenSessionReply { existing: true, session: None, ..reply(OpenPhase::Settled, &path) };
    let broker = FakeBroker::start([say(encode_reply(&existing, false).unwrap_or_default())]);
    let mut pam = alice(&dir);
    assert_eq!(open(&mut pam, &[], &broker.client()), Code::SUCCESS);
    assert_eq!((pam.put.len(), pam.session_id(), pam.lines().len()), (0, None, 0));
}

#[test]
fn only_usherds_own_word_ends_a_login() {
    let (dir, _) = runtime_dir();
    let message = "because".to_owned();
    for (refusal, code, lines) in [
        (Refusal::SessionBusy { message: message.clone() }, Code::SUCCESS, 0),
        (Refusal::LimitsExceeded { message: message.clone() }, Code::SESSION_ERR, 1),
        (Refusal::AccessDenied { message: message.clone() }, Code::SESSION_ERR, 1),
        (Refusal::Failed { message: message.clone() }, Code::SESSION_ERR, 1),
    ] {
        let broker = FakeBroker::start([say(encode_error(&refusal).unwrap_or_default())]);
        let mut pam = alice(&dir);
        assert_eq!(open(&mut pam, &[], &broker.client()), code, "{refusal}");
        assert_eq!((pam.put.len(), &pam.session), (0, &None));
        assert_eq!(pam.lines().len(), lines, "{:?}", pam.lines());
        assert!(pam.lines().iter().all(|line| line.contains("usherd") && line.contains("because")));
    }
}

#[test]
fn an_absent_broker_costs_nothing() {
    let (dir, _) = runtime_dir();
    let mut pam = alice(&dir);
    let started = Instant::now();
    let code = open(&mut pam, &[], &quick(dir.path().join("nothing")));
    assert_went_on_without(&pam, code, "connecting");
    // A socket that nobody listens on any more.
    drop(UnixListener::bind(dir.path().join("dead")));
    let mut pam = alice(&dir);
    let code = open(&mut pam, &[], &quick(dir.path().join("dead")));
    assert_went_on_without(&pam, code, "connecting");
    assert!(started.elapsed() < Duration::from_millis(200), "{:?}", started.elapsed());
    assert!(pam.only_line().contains("start usherd"));
}

#[test]
fn a_broker_that_never_accepts_costs_the_registration_budget() {
    let (dir, _) = runtime_dir();
    let _listener = UnixListener::bind(dir.path().join("broker"));
    let mut pam = alice(&dir);
    let started = Instant::now();
    let code = open(&mut pam, &[], &quick(dir.path().join("broker")));
    assert_went_on_without(&pam, code, "registering");
    assert!(started.elapsed() < Duration::from_millis(900), "{:?}", started.elapsed());
}

#[test]
fn a_hung_broker_costs_the_registration_budget() {
    let (dir, _) = runtime_dir();
    let broker = FakeBroker::start([say_and_hang(b"{\"para".to_vec())]);
    let mut pam = alice(&dir);
    let code = open(&mut pam, &[], &broker.client());
    assert_went_on_without(&pam, code, "registering");
}

#[test]
fn a_manager_that_is_not_ready_takes_nothing_from_the_session() {
    let (dir, path) = runtime_dir();
    let registered = reply(OpenPhase::Registered, &path);
    let first = encode_reply(&registered, true).unwrap_or_default();
    // Hung, gone, and talking nonsense: each while the user manager is waited for.
    for script in [
        say_and_hang(first.clone()),
        say(first.clone()),
        say([first.clone(), b"hello\0".to_vec()].concat()),
        say([first.clone(), encode_error(&Refusal::Failed { message: "x".into() }).unwrap_or_default()]
            .concat()),
        say([
            first.clone(),
            encode_reply(&OpenSessionReply { session: Some(8.into()), ..registered.clone() }, false)
                .unwrap_or_default(),
        ]
        .concat()),
    ] {
        let broker = FakeBroker::start([script]);
        let mut pam = alice(&dir);
        let started = Instant::now();
        assert_eq!(open(&mut pam, &[], &broker.client()), Code::SUCCESS);
        assert!(started.elapsed() < Duration::from_millis(900), "{:?}", started.elapsed());
        assert_eq!(pam.session_id(), Some(7.into()));
        assert!(names(&pam).starts_with(&["XDG_SESSION_ID", "XDG_RUNTIME_DIR"]));
        let line = pam.only_line();
        assert!(line.contains("waiting for usherd to start the user manager"), "{line}");
        assert!(line.contains("session 7"), "{line}");
    }
}

#[test]
fn root_has_a_shorter_patience_than_others() {
    let (patient, short) = (Duration::from_secs(60), Duration::from_millis(50));
    for (uid, registration, root_registration) in [(0, patient, short), (1000, short, patient)] {
        let broker = FakeBroker::start([say_and_hang(Vec::new())]);
        let mut pam = FakePam::new(uid).item(Item::Service, "login");
        let client = crate::broker::Broker { registration, root_registration, ..broker.client() };
        let started = Instant::now();
        let code = open(&mut pam, &[], &client);
        assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
        assert_went_on_without(&pam, code, "registering");
    }
}

#[test]
fn a_wait_of_nothing_is_no_wait() {
    let (dir, path) = runtime_dir();
    let registered = OpenSessionReply { wait_usec: 0, ..reply(OpenPhase::Registered, &path) };
    let broker = FakeBroker::start([say_and_hang(encode_reply(&registered, true).unwrap_or_default())]);
    let mut pam = alice(&dir);
    assert_eq!(open(&mut pam, &[], &broker.client()), Code::SUCCESS);
    assert_eq!((pam.session_id(), pam.log.borrow().len()), (Some(7.into()), 0));
}

#[test]
fn an_absurd_wait_is_cut_short() {
    let (dir, path) = runtime_dir();
    let registered = OpenSessionReply { wait_usec: u64::MAX, ..reply(OpenPhase::Registered, &path) };
    let broker = FakeBroker::start([say_and_hang(encode_reply(&registered, true).unwrap_or_default())]);
    let mut pam = alice(&dir);
    let client = crate::broker::Broker { settling_max: Duration::from_millis(100), ..broker.client() };
    assert_eq!(open(&mut pam, &[], &client), Code::SUCCESS);
    assert_eq!(pam.session_id(), Some(7.into()));
}

#[test]
fn a_broker_may_go_away_after_any_byte() {
    let (dir, path) = runtime_dir();
    let bytes = both_replies(&path);
    let first = bytes.iter().position(|&b| b == 0).unwrap_or_default();
    for length in 0..=bytes.len() {
        let broker = FakeBroker::start([say(bytes.get(..length).unwrap_or_default().to_vec())]);
        let mut pam = alice(&dir);
        // It does not come back: the walk need not wait for it.
        let client = crate::broker::Broker { comeback: Duration::ZERO, ..broker.client() };
        let code = open(&mut pam, &[], &client);
        if length <= first {
            assert_went_on_without(&pam, code, "registering");
        } else {
            assert_eq!((code, pam.session_id()), (Code::SUCCESS, Some(7.into())), "after {length} bytes");
            assert_eq!(pam.lines().len(), usize::from(length < bytes.len()), "{:?}", pam.lines());
        }
    }
}

#[test]
fn nonsense_is_not_believed() {
    let (dir, path) = runtime_dir();
    let neither = OpenSessionReply { session: None, ..reply(OpenPhase::Settled, &path) };
    for bytes in [
        b"\0".to_vec(),
        b"null\0".to_vec(),
        b"[]\0".to_vec(),
        b"{}\0".to_vec(),
        b"{\"parameters\":[]}\0".to_vec(),
        b"\xff\xfe\0".to_vec(),
        b"{\"parameters\":{\"session\":\"../..\",\"existing\":false}}\0".to_vec(),
        vec![b'['; 200_000],
        vec![b' '; 200_000],
        encode_reply(&neither, false).unwrap_or_default(),
    ] {
        let broker = FakeBroker::start([say(bytes)]);
        let mut pam = alice(&dir);
        let code = open(&mut pam, &[], &broker.client());
        assert_went_on_without(&pam, code, "registering");
        assert!(pam.only_line().contains("nonsense"), "{}", pam.only_line());
    }
}

#[test]
fn usherd_opens_the_door_while_the_user_database_is_asked() {
    let (dir, _) = runtime_dir();
    let socket = dir.path().join("broker");
    let listener = UnixListener::bind(&socket).unwrap_or_else(|e| unreachable!("{e}"));
    let mut pam = FakePam { account: None, ..alice(&dir) };
    assert_eq!(open(&mut pam, &[], &quick(socket)), Code::USER_UNKNOWN);
    assert!(listener.set_nonblocking(true).is_ok());
    let mut knocked = listener.accept().unwrap_or_else(|e| unreachable!("{e}")).0;
    assert!(
        knocked.read(&mut [0]).is_ok_and(|count| count == 0),
        "somebody without an account wants something"
    );
    assert!(listener.accept().is_err(), "it has knocked twice");
}

#[test]
fn a_broker_that_dies_and_comes_back_registers_the_login() {
    let (dir, path) = runtime_dir();
    let broker = FakeBroker::start([say(Vec::new()), say(b"{".to_vec()), say(both_replies(&path))]);
    let mut pam = alice(&dir);
    assert_eq!(open(&mut pam, &[], &broker.client()), Code::SUCCESS);
    assert_eq!((pam.session_id(), pam.lines().len()), (Some(7.into()), 0), "{:?}", pam.lines());
    let retries: Vec<bool> = broker
        .calls()
        .iter()
        .map(|call| matches!(call, usher_protocol::messages::Call::OpenSession(r) if r.retry))
        .collect();
    assert_eq!(retries, [false, true, true]);
}

#[test]
fn a_broker_that_is_just_being_started_again_registers_the_login() {
    let (dir, path) = runtime_dir();
    let broker = FakeBroker::start([say(both_replies(&path))]);
    // What it leaves when it dies: a socket that nobody listens at. Its successor puts its own in that place.
    let socket = broker.socket();
    let waiting = socket.with_extension("successor");
    std::fs::rename(&socket, &waiting).unwrap_or_else(|e| unreachable!("{e}"));
    drop(UnixListener::bind(&socket));
    let successor = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(50));
        std::fs::rename(&waiting, &socket)
    });
    // For whoever runs the tests: root's budget is another one.
    let (registration, root_registration) = (Duration::from_secs(20), Duration::from_secs(20));
    let client = crate::broker::Broker { registration, root_registration, ..broker.client() };
    let mut pam = alice(&dir);
    assert_eq!(open(&mut pam, &[], &client), Code::SUCCESS);
    assert_eq!((pam.session_id(), pam.lines().len()), (Some(7.into()), 0), "{:?}", pam.lines());
    assert!(successor.join().is_ok_and(|renamed| renamed.is_ok()));
    assert!(!broker.session_request().retry, "it has never been asked before");
}

#[test]
fn a_runtime_directory_that_is_not_the_users_is_not_named() {
    let (dir, path) = runtime_dir();
    for wrong in [format!("{path}/missing"), "relative".to_owned(), "/proc/1".to_owned()] {
        let broker = FakeBroker::start([say(both_replies(&wrong))]);
        let mut pam = alice(&dir);
        if wrong == "/proc/1" {
            // Whoever runs the tests, this directory belongs to somebody else.
            if let Some(account) = pam.account.as_mut() {
                account.uid = 12345;
            }
        }
        assert_eq!(open(&mut pam, &[], &broker.client()), Code::SUCCESS);
        assert!(!names(&pam).contains(&"XDG_RUNTIME_DIR"), "{:?}", pam.put);
        assert!(!names(&pam).contains(&"DBUS_SESSION_BUS_ADDRESS"));
        assert!(names(&pam).contains(&"XDG_SESSION_ID"));
        assert!(pam.only_line().contains("XDG_RUNTIME_DIR is not set"));
    }
}

#[test]
fn usherds_notice_reaches_the_log_in_one_line() {
    let (dir, path) = runtime_dir();
    let noticed = OpenSessionReply { notice: "no\nmanager".to_owned(), ..reply(OpenPhase::Settled, &path) };
    let broker = FakeBroker::start([say(encode_reply(&noticed, false).unwrap_or_default())]);
    let mut pam = alice(&dir);
    assert_eq!(open(&mut pam, &[], &broker.client()), Code::SUCCESS);
    assert!(pam.only_line().ends_with(r"no\nmanager"));
}

#[test]
fn a_remote_login_claims_no_seat() {
    let (dir, path) = runtime_dir();
    let broker = FakeBroker::start([say(both_replies(&path))]);
    let mut pam =
        alice(&dir).item(Item::RemoteHost, "far.example").env("XDG_SEAT", "seat0").env("XDG_VTNR", "1");
    assert_eq!(open(&mut pam, &[], &broker.client()), Code::SUCCESS);
    let request = broker.session_request();
    assert!(request.remote);
    assert_eq!((request.seat, request.vtnr), (None, None));
}

#[test]
fn users_that_cannot_have_a_session() {
    let (dir, _) = runtime_dir();
    let nobody_listens = quick(dir.path().join("nothing"));
    let run = |change: fn(&mut FakePam)| {
        let mut pam = alice(&dir);
        change(&mut pam);
        let code = open(&mut pam, &[], &nobody_listens);
        (code, pam.lines().len())
    };
    assert_eq!(run(|pam| pam.user = Err(Code(19))), (Code(19), 0), "pam_get_user's own code");
    assert_eq!(run(|pam| pam.user = Ok(c"".into())), (Code::SERVICE_ERR, 1));
    assert_eq!(run(|pam| pam.account = None), (Code::USER_UNKNOWN, 1));
    let change_uid: fn(&mut FakePam) = |pam| pam.account.iter_mut().for_each(|a| a.uid = u32::MAX);
    assert_eq!(run(change_uid), (Code::SESSION_ERR, 1));
    let no_class: fn(&mut FakePam) = |pam| drop(pam.env.insert("XDG_SESSION_CLASS".into(), b"none".into()));
    assert_eq!(run(no_class), (Code::SESSION_ERR, 1));
}
