//! A broker that says what a test tells it to, and the real usherctl to ask it.

pub(crate) mod world;

use std::io::{Read as _, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use usher_protocol::messages::{Call, Refusal, SeatView, SessionView, UserView};
use usher_protocol::wire::{Decoder, MAX_REQUEST, Request, encode_error, encode_reply};

/// What the broker does with a call.
pub(crate) enum Answer {
    Reply(Value),
    Refuse(Refusal),
    /// Send these bytes and close.
    Bytes(&'static [u8]),
}

pub(crate) struct FakeBroker {
    directory: tempfile::TempDir,
    calls: Arc<Mutex<Vec<Call>>>,
}

impl FakeBroker {
    /// Listens; the thread ends with the test's process.
    pub(crate) fn start(answer: impl Fn(&Call) -> Answer + Send + 'static) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let listener = UnixListener::bind(directory.path().join("broker")).expect("a socket");
        let calls = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&calls);
        std::thread::spawn(move || {
            for peer in listener.incoming().flatten() {
                serve(peer, &answer, &seen);
            }
        });
        Self { directory, calls }
    }

    pub(crate) fn run(&self, args: &[&str]) -> Ran {
        run(Path::new(env!("CARGO_BIN_EXE_usherctl")), &self.socket(), args)
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.directory.path().join("broker")
    }

    pub(crate) fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Every call so far.
    pub(crate) fn calls(&self) -> Vec<Call> {
        self.calls.lock().expect("no panic while held").clone()
    }
}

fn serve(mut peer: UnixStream, answer: &dyn Fn(&Call) -> Answer, seen: &Mutex<Vec<Call>>) {
    let mut decoder = Decoder::new(MAX_REQUEST);
    let mut buffer = [0; 4096];
    while let Ok(count @ 1..) = peer.read(&mut buffer) {
        decoder.push(&buffer[..count]);
        while let Some(frame) = decoder.next_frame().expect("a frame") {
            let request = Request::from_frame(&frame).expect("an envelope");
            let call = Call::parse(&request.method, request.parameters.as_deref()).expect("a call");
            seen.lock().expect("no panic while held").push(call.clone());
            let (bytes, last) = match answer(&call) {
                Answer::Reply(value) => (encode_reply(&value, false).expect("JSON"), false),
                Answer::Refuse(refusal) => (encode_error(&refusal).expect("JSON"), false),
                Answer::Bytes(bytes) => (bytes.to_vec(), true),
            };
            // The client may have gone.
            if peer.write_all(&bytes).is_err() || last {
                return;
            }
        }
    }
}

/// What a run came to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ran {
    #[track_caller]
    pub(crate) fn prints(&self, stdout: &str) {
        assert_eq!((self.code, &*self.stdout, &*self.stderr), (Some(0), stdout, ""));
    }

    #[track_caller]
    pub(crate) fn fails(&self, stderr: &str) {
        assert_eq!((self.code, &*self.stdout, self.stderr.trim_end()), (Some(1), "", stderr));
    }
}

pub(crate) fn run(program: &Path, socket: &Path, args: &[&str]) -> Ran {
    let output = Command::new(program)
        .args(args)
        .arg("--socket")
        .arg(socket)
        .env("TZ", "UTC")
        .stdin(Stdio::null())
        .output()
        .expect("usherctl runs");
    Ran {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).expect("UTF-8"),
        stderr: String::from_utf8(output.stderr).expect("UTF-8"),
    }
}

/// The contract's session c4 of user u2, with other fields where given.
pub(crate) fn session(fields: Value) -> SessionView {
    let mut view = json!({
        "id": "c4", "uid": 1002, "user": "u2", "timestamp": 1_795_224_184_000_000_u64,
        "timestamp_monotonic": 1000, "vtnr": null, "seat": null, "tty": "", "display": "", "remote": false,
        "remote_host": "", "remote_user": "", "service": "bench", "desktop": "",
        "scope": "session-c4.scope", "leader": 108, "audit": null, "type": "tty", "class": "user",
        "active": true, "state": "active", "idle_hint": false, "idle_since": 0, "idle_since_monotonic": 0,
        "locked_hint": false, "control_group": null,
    });
    merge(&mut view, fields);
    serde_json::from_value(view).expect("a session")
}

/// The contract's user u2, with other fields where given.
pub(crate) fn user(fields: Value) -> UserView {
    let mut view = json!({
        "uid": 1002, "gid": 1002, "name": "u2", "timestamp": 1_795_224_184_000_000_u64,
        "timestamp_monotonic": 1000, "runtime_path": "/run/user/1002", "service": "user@1002.service",
        "slice": "user-1002.slice", "display": "c4", "state": "active", "sessions": ["c6", "c5", "c4"],
        "idle_hint": false, "idle_since": 0, "idle_since_monotonic": 0, "linger": false, "manager": "ready",
        "manager_pid": 111, "manager_since": 0, "manager_restarts": 0, "manager_error": "",
        "manager_error_time": 0, "manager_log": [], "notice": "", "kept_by": [], "control_group": null,
    });
    merge(&mut view, fields);
    serde_json::from_value(view).expect("a user")
}

/// The contract's seat0, with other fields where given.
pub(crate) fn seat(fields: Value) -> SeatView {
    let mut view = json!({
        "id": "seat0", "active": "c19", "can_tty": true, "can_graphical": false, "sessions": ["c21", "c19"],
        "idle_hint": false, "idle_since": 0, "idle_since_monotonic": 0,
    });
    merge(&mut view, fields);
    serde_json::from_value(view).expect("a seat")
}

fn merge(view: &mut Value, fields: Value) {
    let Value::Object(fields) = fields else { panic!("not an object: {fields}") };
    for (name, value) in fields {
        let field = view.get_mut(&name).unwrap_or_else(|| panic!("no field {name}"));
        *field = value;
    }
}
