//! A broker that does what a test says: one thread, one closure a connection.

use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::thread::JoinHandle;
use std::time::Duration;

use usher_protocol::messages::{Call, CloseToken, OpenPhase, OpenSessionReply, SessionRequest};
use usher_protocol::session::ManagerState;
use usher_protocol::wire::{Decoder, MAX_REQUEST, Request, encode_reply};

use crate::broker::Broker;

pub(super) struct FakeBroker {
    dir: tempfile::TempDir,
    thread: JoinHandle<Vec<Call>>,
}

impl FakeBroker {
    /// Answers as many connections as there are scripts, each with its own. A script gets the connection after the request
    /// has been read from it.
    pub(super) fn start<S>(scripts: impl IntoIterator<Item = S>) -> Self
    where
        S: FnOnce(UnixStream) + Send + 'static,
    {
        let dir = tempfile::tempdir().unwrap_or_else(|e| unreachable!("{e}"));
        let listener = UnixListener::bind(dir.path().join("broker")).unwrap_or_else(|e| unreachable!("{e}"));
        let scripts: Vec<S> = scripts.into_iter().collect();
        let thread = std::thread::spawn(move || {
            let serve = |script: S| {
                let (mut stream, _) = listener.accept().ok()?;
                let call = request(&mut stream)?;
                script(stream);
                Some(call)
            };
            scripts.into_iter().filter_map(serve).collect()
        });
        Self { dir, thread }
    }

    /// The module's side, with budgets that suit a test.
    pub(super) fn client(&self) -> Broker {
        quick(self.socket())
    }

    /// Where it listens.
    pub(super) fn socket(&self) -> PathBuf {
        self.dir.path().join("broker")
    }

    /// What was asked.
    pub(super) fn calls(self) -> Vec<Call> {
        self.thread.join().unwrap_or_default()
    }

    /// The first thing that was asked, a session.
    pub(super) fn session_request(self) -> SessionRequest {
        match self.calls().into_iter().next() {
            Some(Call::OpenSession(request)) => *request,
            other => unreachable!("{other:?}"),
        }
    }
}

/// A broker's place with short budgets.
pub(super) fn quick(socket: PathBuf) -> Broker {
    Broker {
        socket,
        registration: Duration::from_millis(300),
        root_registration: Duration::from_millis(300),
        comeback: Duration::from_millis(150),
        pause: Duration::from_millis(5),
        settling_max: Duration::from_secs(2),
        settling_slack: Duration::from_millis(50),
        closing: Duration::from_millis(300),
    }
}

fn request(stream: &mut UnixStream) -> Option<Call> {
    let mut decoder = Decoder::new(MAX_REQUEST);
    let mut buffer = [0; 4096];
    loop {
        if let Ok(Some(frame)) = decoder.next_frame() {
            let request = Request::from_frame(&frame).ok()?;
            return Call::parse(&request.method, request.parameters.as_deref()).ok();
        }
        let count = stream.read(&mut buffer).ok().filter(|&n| n > 0)?;
        decoder.push(buffer.get(..count)?);
    }
}

/// What closes session 7.
pub(super) fn token_of_7() -> CloseToken {
    CloseToken::new("abracadabra".to_owned())
}

/// Session 7, with everything set; the runtime directory is the one given.
pub(super) fn reply(phase: OpenPhase, runtime_path: &str) -> OpenSessionReply {
    OpenSessionReply {
        phase,
        session: Some(7.into()),
        token: Some(token_of_7()),
        existing: false,
        runtime_only: false,
        class: None,
        runtime_path: Some(runtime_path.to_owned()),
        seat: "seat0".parse().ok(),
        vtnr: 3.try_into().ok(),
        wait_usec: 100_000,
        manager: ManagerState::Ready,
        notice: String::new(),
    }
}

/// Both replies of an `OpenSession` as bytes.
pub(super) fn both_replies(runtime_path: &str) -> Vec<u8> {
    let registered = encode_reply(&reply(OpenPhase::Registered, runtime_path), true);
    let settled = encode_reply(&reply(OpenPhase::Settled, runtime_path), false);
    [registered, settled].into_iter().flatten().flatten().collect()
}

/// A script that writes and closes.
pub(super) fn say(bytes: Vec<u8>) -> Box<dyn FnOnce(UnixStream) + Send> {
    Box::new(move |mut stream| {
        // The module may have had enough already.
        let _ = stream.write_all(&bytes);
    })
}

/// A script that writes and then says nothing more until the module goes away.
pub(super) fn say_and_hang(bytes: Vec<u8>) -> Box<dyn FnOnce(UnixStream) + Send> {
    Box::new(move |mut stream| {
        let _ = stream.write_all(&bytes);
        let _ = stream.read_to_end(&mut Vec::new());
    })
}
