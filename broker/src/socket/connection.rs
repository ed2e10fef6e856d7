//! One connection: frames in, replies out, one call after the other. A peer that breaks the protocol, stops in the
//! middle or does not take its replies loses the connection and nothing else.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};
use serde::Serialize;
use tokio::io::{AsyncWriteExt, Interest};
use tokio::net::UnixStream;
use tokio::time::{Instant, timeout_at};
use usher_protocol::ids::SessionId;
use usher_protocol::messages::{Call, Refusal};
use usher_protocol::wire::{Decoder, MAX_REQUEST, Request, WireError, encode_error, encode_reply};

use super::guests::{Lookup, Place, Turn};
use super::peer::Peer;
use super::{Service, calls, systemd_login};
use crate::crash;

/// How long a peer may take to make room for a reply.
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a peer that is not root may say nothing between two requests: a place is not for keeps.
const IDLE_TIMEOUT: Duration = Duration::from_secs(300);
/// How long such a peer may take from the first byte of a request to its last.
const READ_TIMEOUT: Duration = Duration::from_secs(30);
/// A reply of this size may wait for its peer without keeping the user's other requests waiting. What is larger may not: one
/// user's peers that do not read would fill the memory.
const SMALL_REPLY: usize = 64 * 1024;

/// A connection and what has been read of it.
pub(crate) struct Connection {
    stream: UnixStream,
    /// Whether its peer may take all the time there is.
    patient: bool,
    decoder: Decoder,
    /// The last descriptor that came; taken by the next call that wants one.
    passed: Option<OwnedFd>,
    /// The session that the last reply was the first to tell of, until the peer says something else.
    told: Option<SessionId>,
}

/// Serves one connection to its end. What a call needs is in a box as long as the call takes: thousands may be connected
/// and say nothing.
pub(crate) async fn serve(stream: UnixStream, peer: Peer, place: Place, service: Service) -> io::Result<()> {
    let (decoder, patient) = (Decoder::new(MAX_REQUEST), peer.uid.is_root());
    let mut connection = Connection { stream, patient, decoder, passed: None, told: None };
    loop {
        let frame = match connection.next_frame().await {
            Ok(Some(frame)) => frame,
            Ok(None) => return Ok(()),
            Err(error) => {
                if let Some(session) = connection.told.take().filter(|_| is_reset(&error)) {
                    calls::take_back(session, peer.uid, &service.broker).await;
                }
                return Err(error);
            }
        };
        connection.told = None;
        crash::point(crash::REQUEST_READ);
        let turn = Some(place.turn().await);
        let request = match Request::from_frame(&frame) {
            Ok(request) => request,
            Err(error) => return connection.refuse(&malformed(&error)).await,
        };
        let passed = connection.passed.take();
        if let Some(method) = systemd_login::method_of(&request) {
            let mut replies = Replies { connection: &mut connection, request: &request, place: &place, turn };
            Box::pin(systemd_login::answer(method, &request, &peer, passed, &service, &mut replies)).await?;
            continue;
        }
        match Call::parse(&request.method, request.parameters.as_deref()) {
            Ok(call) => {
                let mut replies =
                    Replies { connection: &mut connection, request: &request, place: &place, turn };
                Box::pin(calls::answer(call, &peer, passed, &service, &mut replies)).await?;
            }
            Err(refusal) if request.oneway => {
                tracing::debug!(uid = %peer.uid, %refusal, "oneway call refused")
            }
            Err(refusal) => connection.send(encode_error(&refusal)).await?,
        }
    }
}

/// What the kernel says of a peer that has closed its socket with something unread in it.
fn is_reset(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::ConnectionReset
}

/// Where a call's replies go.
pub(crate) struct Replies<'a> {
    connection: &'a mut Connection,
    request: &'a Request,
    place: &'a Place,
    /// Until the first reply.
    turn: Option<Turn>,
}

impl Replies<'_> {
    /// Whether the caller takes replies before the last one.
    pub(crate) fn more(&self) -> bool {
        self.request.more
    }

    /// Whether the peer has closed the connection, so that nobody will read a reply.
    pub(crate) fn peer_has_gone(&self) -> bool {
        let now = Timespec { tv_sec: 0, tv_nsec: 0 };
        let mut fds = [PollFd::new(&self.connection.stream, PollFlags::empty())];
        // What cannot be asked is still there, for all that is known.
        poll(&mut fds, Some(&now)).is_ok_and(|ready| ready > 0)
    }

    /// After a reply that could not be sent: whether the peer has hung up without having read the one before.
    pub(crate) fn peer_has_read_nothing(&self) -> bool {
        self.connection.stream.take_error().is_ok_and(|error| error.as_ref().is_some_and(is_reset))
    }

    /// Notes that the reply just sent is all that the peer is told of its session: if it hangs up without having read that,
    /// it knows of none.
    pub(crate) fn tells_of(&mut self, session: Option<SessionId>) {
        self.connection.told = session;
    }

    /// Whether a reply is wanted, but there is nobody any more to read it.
    pub(crate) fn is_for_nobody(&self) -> bool {
        !self.request.oneway && self.peer_has_gone()
    }

    /// Waits until the name service may be asked on the peer's behalf.
    pub(crate) async fn lookup(&self) -> Lookup {
        self.place.lookup().await
    }

    /// The answer has to wait for something else than usherd: others are worked on meanwhile.
    pub(crate) fn hand_on(&mut self) {
        self.turn.iter_mut().for_each(Turn::hand_on);
    }

    /// The connection's socket, for what the kernel says of the peer.
    pub(crate) fn stream(&self) -> &UnixStream {
        &self.connection.stream
    }

    /// Sends a reply; `continues` when another one follows.
    pub(crate) async fn reply<T: Serialize>(&mut self, parameters: &T, continues: bool) -> io::Result<()> {
        if self.request.oneway {
            return Ok(());
        }
        self.send(encode_reply(parameters, continues)).await
    }

    /// Sends a refusal.
    pub(crate) async fn refuse(&mut self, refusal: &Refusal) -> io::Result<()> {
        self.refuse_by(refusal).await
    }

    /// Sends an error of any interface.
    pub(crate) async fn refuse_by<E: Serialize>(&mut self, refusal: &E) -> io::Result<()> {
        if self.request.oneway {
            return Ok(());
        }
        self.send(encode_error(refusal)).await
    }

    async fn send(&mut self, frame: serde_json::Result<Vec<u8>>) -> io::Result<()> {
        // The work is done, and one that reads slowly holds up itself.
        self.hand_on();
        let turn = self.turn.take();
        let held = turn.filter(|_| frame.as_ref().is_ok_and(|frame| frame.len() > SMALL_REPLY));
        let sent = self.connection.send(frame).await;
        drop(held);
        sent
    }
}

impl Connection {
    /// The next request; `None` when the peer has hung up, or has not been heard of for too long.
    async fn next_frame(&mut self) -> io::Result<Option<Vec<u8>>> {
        let idle_until = Instant::now() + IDLE_TIMEOUT;
        let mut whole_by = None;
        loop {
            match self.decoder.next_frame() {
                Ok(Some(frame)) => return Ok(Some(frame)),
                Ok(None) => {}
                Err(error) => {
                    self.refuse(&malformed(&error)).await?;
                    return Ok(None);
                }
            }
            if self.decoder.is_mid_frame() {
                whole_by = whole_by.or_else(|| Some(Instant::now() + READ_TIMEOUT));
            }
            let count = if self.patient {
                self.receive().await?
            } else {
                match timeout_at(whole_by.unwrap_or(idle_until), self.receive()).await {
                    Ok(count) => count?,
                    Err(_) => return Ok(None),
                }
            };
            if count == 0 {
                return Ok(None);
            }
        }
    }

    /// Takes bytes, and a descriptor if one came with them; says how many bytes. More descriptors than one are closed by the
    /// kernel: there is no room.
    async fn receive(&mut self) -> io::Result<usize> {
        let Self { stream, decoder, passed, .. } = self;
        // The buffer is here, and not in what waits.
        let receive = || {
            let mut buffer = [0_u8; 4096];
            let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
            let mut ancillary = RecvAncillaryBuffer::new(&mut space);
            let mut parts = [io::IoSliceMut::new(&mut buffer)];
            let message = recvmsg(&*stream, &mut parts, &mut ancillary, RecvFlags::CMSG_CLOEXEC)?;
            for part in ancillary.drain() {
                if let RecvAncillaryMessage::ScmRights(fds) = part {
                    *passed = fds.last().or(passed.take());
                }
            }
            let count = message.bytes;
            decoder.push(buffer.get(..count).unwrap_or_default());
            Ok(count)
        };
        stream.async_io(Interest::READABLE, receive).await
    }

    async fn refuse(&mut self, refusal: &Refusal) -> io::Result<()> {
        self.send(encode_error(refusal)).await
    }

    async fn send(&mut self, frame: serde_json::Result<Vec<u8>>) -> io::Result<()> {
        let frame = frame.map_err(io::Error::other)?;
        crash::point(crash::ANSWER_DUE);
        let write = tokio::time::timeout(WRITE_TIMEOUT, self.stream.write_all(&frame));
        write.await.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
        crash::point(crash::ANSWER_SENT);
        Ok(())
    }
}

fn malformed(error: &WireError) -> Refusal {
    Refusal::InvalidParameter { parameter: "message".to_owned(), message: error.to_string() }
}

#[cfg(test)]
mod tests;
