//! How long a peer is waited for, by a clock that only goes when everybody waits.

use std::sync::Arc;

use tokio::io::AsyncReadExt;
use tokio::sync::mpsc::Receiver;
use usher_protocol::ids::Uid;

use super::*;
use crate::inbox::{Broker, Message};
use crate::lookups::Lookups;
use crate::memory::Memory;
use crate::socket::headroom::{Headroom, Room};
use crate::socket::{Guests, Tokens};

/// A service without a loop behind it: enough for calls that ask the loop nothing.
fn service() -> (Service, Receiver<Message>) {
    let (broker, inbox) = Broker::new();
    let guests = Arc::new(Guests::new(10, 10));
    let service = Service {
        words: Default::default(),
        lookups: Lookups::new(broker.clone()),
        broker,
        guests,
        headroom: Headroom::new(1000),
        memory: Memory::default(),
        tokens: Tokens::for_tests(),
        cgroups: None,
        status: crate::status::Status::new(),
    };
    (service, inbox)
}

/// Serves a peer that has got a place.
async fn serve_one(stream: UnixStream, uid: u32, service: Service) -> io::Result<()> {
    let peer = peer(uid);
    let place = service.guests.admit(peer.uid).unwrap();
    serve(stream, peer, place, service).await
}

fn peer(uid: u32) -> Peer {
    Peer { uid: Uid::try_from(uid).unwrap(), pid: std::process::id(), room: Room::Everybody }
}

fn with_a_paused_clock(test: impl AsyncFnOnce()) {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.enable_all().start_paused(true).build().unwrap().block_on(test());
}

const QUESTION: &[u8] = b"{\"method\":\"org.varlink.service.GetInfo\"}\0";

#[test]
fn a_peer_that_says_nothing_loses_its_place_in_the_end() {
    with_a_paused_clock(async || {
        let (service, _inbox) = service();
        let (_client, stream) = UnixStream::pair().unwrap();
        let start = Instant::now();
        serve_one(stream, 1000, service.clone()).await.unwrap();
        assert_eq!(start.elapsed().as_secs(), IDLE_TIMEOUT.as_secs());
    });
}

#[test]
fn half_a_request_is_not_waited_for_as_long_however_it_drips() {
    with_a_paused_clock(async || {
        let (service, _inbox) = service();
        let (mut client, stream) = UnixStream::pair().unwrap();
        let start = Instant::now();
        let drip = async {
            for byte in QUESTION {
                if client.write_all(&[*byte]).await.is_err() {
                    break;
                }
                tokio::time::sleep(Duration::from_secs(20)).await;
            }
        };
        let (served, ()) = tokio::join!(serve_one(stream, 1000, service), drip);
        served.unwrap();
        let waited = start.elapsed().as_secs();
        assert!((READ_TIMEOUT.as_secs()..IDLE_TIMEOUT.as_secs()).contains(&waited), "{waited} s");
    });
}

#[test]
fn whoever_asks_now_and_then_keeps_its_place_and_root_keeps_it_anyway() {
    with_a_paused_clock(async || {
        for (uid, pause) in [(1000, IDLE_TIMEOUT / 2), (0, 10 * IDLE_TIMEOUT)] {
            let (service, _inbox) = service();
            let (mut client, stream) = UnixStream::pair().unwrap();
            let serving = tokio::spawn(serve_one(stream, uid, service));
            for _ in 0..4 {
                tokio::time::sleep(pause).await;
                client.write_all(QUESTION).await.unwrap();
                let mut answer = [0; 4096];
                assert!(client.read(&mut answer).await.unwrap() > 0, "uid {uid}");
            }
            drop(client);
            serving.await.unwrap().unwrap();
        }
    });
}

#[test]
fn a_place_that_was_lost_is_free() {
    with_a_paused_clock(async || {
        let (mut service, _inbox) = service();
        service.guests = Arc::new(Guests::new(1, 1));
        for _ in 0..3 {
            let (_client, stream) = UnixStream::pair().unwrap();
            serve_one(stream, 1000, service.clone()).await.unwrap();
        }
        let (mut client, stream) = UnixStream::pair().unwrap();
        let serving = tokio::spawn(serve_one(stream, 1000, service.clone()));
        client.write_all(QUESTION).await.unwrap();
        let mut answer = [0; 4096];
        assert!(client.read(&mut answer).await.unwrap() > 0);
        assert!(service.guests.admit(peer(1001).uid).is_err());
        drop(client);
        serving.await.unwrap().unwrap();
    });
}

/// What a peer has asked and does not read is all that it can make usherd keep: its next request waits.
#[test]
fn one_request_of_a_connection_is_worked_on_at_a_time() {
    with_a_paused_clock(async || {
        let (service, mut inbox) = service();
        let (mut client, stream) = UnixStream::pair().unwrap();
        let _serving = tokio::spawn(serve_one(stream, 1000, service));
        let list = b"{\"method\":\"io.usher.Broker.ListUsers\"}\0".repeat(100);
        client.write_all(&list).await.unwrap();
        let first = inbox.recv().await;
        assert!(first.is_some());
        let second = tokio::time::timeout(Duration::from_secs(60), inbox.recv()).await;
        assert!(second.is_err(), "the second is in the inbox, and the first has no answer");
    });
}

#[test]
fn a_silent_connection_takes_little_memory() {
    with_a_paused_clock(async || {
        let (service, _inbox) = service();
        let (_client, stream) = UnixStream::pair().unwrap();
        let size = size_of_val(&serve_one(stream, 1000, service));
        assert!(size <= 2048, "{size} bytes");
    });
}
