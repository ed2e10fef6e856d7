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
use usher_protocol::ids::SessionId;
use usher_protocol::messages::{Call, Refusal};
use usher_protocol::wire::{Decoder, MAX_REQUEST, Request, WireError, encode_error, encode_reply};

use super::peer::Peer;
use super::{Service, calls};
use crate::crash;

/// How long a peer may take to make room for a reply.
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);

/// A connection and what has been read of it.
pub(crate) struct Connection {
    stream: UnixStream,
    decoder: Decoder,
    /// The last descriptor that came; taken by the next call that wants one.
    passed: Option<OwnedFd>,
    /// The session that the last reply was the first to tell of, until the peer says something else.
    told: Option<SessionId>,
}

/// Serves one connection to its end.
pub(crate) async fn serve(stream: UnixStream, peer: Peer, service: Service) -> io::Result<()> {
    let mut connection = Connection { stream, decoder: Decoder::new(MAX_REQUEST), passed: None, told: None };
    let room = service.headroom.check(peer.room, peer.uid);
    let _place = match room.and_then(|()| service.guests.admit(peer.uid)) {
        Ok(place) => place,
        Err(refusal) => return connection.refuse(&refusal).await,
    };
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
        let request = match Request::from_frame(&frame) {
            Ok(request) => request,
            Err(error) => return connection.refuse(&malformed(&error)).await,
        };
        let passed = connection.passed.take();
        match Call::parse(&request.method, request.parameters.as_deref()) {
            Ok(call) => {
                let mut replies = Replies { connection: &mut connection, request: &request };
                calls::answer(call, &peer, passed, &service, &mut replies).await?;
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

    /// The connection's socket, for what the kernel says of the peer.
    pub(crate) fn stream(&self) -> &UnixStream {
        &self.connection.stream
    }

    /// Sends a reply; `continues` when another one follows.
    pub(crate) async fn reply<T: Serialize>(&mut self, parameters: &T, continues: bool) -> io::Result<()> {
        if self.request.oneway {
            return Ok(());
        }
        self.connection.send(encode_reply(parameters, continues)).await
    }

    /// Sends a refusal.
    pub(crate) async fn refuse(&mut self, refusal: &Refusal) -> io::Result<()> {
        if self.request.oneway {
            return Ok(());
        }
        self.connection.send(encode_error(refusal)).await
    }
}

impl Connection {
    async fn next_frame(&mut self) -> io::Result<Option<Vec<u8>>> {
        loop {
            match self.decoder.next_frame() {
                Ok(Some(frame)) => return Ok(Some(frame)),
                Ok(None) => {}
                Err(error) => {
                    self.refuse(&malformed(&error)).await?;
                    return Ok(None);
                }
            }
            if self.receive().await? == 0 {
                return Ok(None);
            }
        }
    }

    /// Takes bytes, and a descriptor if one came with them; says how many bytes. More descriptors than one are closed by the
    /// kernel: there is no room.
    async fn receive(&mut self) -> io::Result<usize> {
        let Self { stream, decoder, passed, .. } = self;
        // The buffer is here, and not in what waits: thousands may be connected and say nothing.
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
