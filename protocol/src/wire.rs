//! Varlink's framing and envelopes (varlink.org, "Method Call"), sans-IO: one JSON object a message, each ended by
//! a NUL byte. Bytes go into a [`Decoder`], frames come out; nothing here waits or reads.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::messages::Refusal;

/// The longest request usherd reads, in bytes. The largest sensible one is a tenth of this.
pub const MAX_REQUEST: usize = 64 * 1024;
/// The longest reply a client reads, in bytes: a list of many thousand sessions.
pub const MAX_REPLY: usize = 64 * 1024 * 1024;

/// What can be wrong with bytes from a peer. After any of these the connection is of no more use.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// The peer sends without ever ending a message.
    #[error("message longer than {0} bytes")]
    TooLong(usize),
    /// Not an envelope.
    #[error("malformed message: {0}")]
    Malformed(String),
}

/// Cuts a stream of bytes into frames.
#[derive(Debug)]
pub struct Decoder {
    buffer: Vec<u8>,
    /// Bytes of `buffer` that hold no NUL: searched once, not again with every read.
    scanned: usize,
    limit: usize,
}

impl Decoder {
    /// A decoder for frames of at most `limit` bytes.
    pub const fn new(limit: usize) -> Self {
        Self { buffer: Vec::new(), scanned: 0, limit }
    }

    /// Takes bytes as they come from the peer.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The next whole frame, without its NUL; `None` until more bytes come.
    ///
    /// # Errors
    /// [`WireError::TooLong`] when a frame exceeds the limit, ended or not.
    pub fn next_frame(&mut self) -> Result<Option<Vec<u8>>, WireError> {
        let fresh = self.buffer.get(self.scanned..).unwrap_or_default();
        let end = fresh.iter().position(|&b| b == 0).map(|offset| self.scanned + offset);
        if end.unwrap_or(self.buffer.len()) > self.limit {
            return Err(WireError::TooLong(self.limit));
        }
        let Some(end) = end else {
            self.scanned = self.buffer.len();
            return Ok(None);
        };
        let rest = self.buffer.split_off(end + 1);
        let mut frame = std::mem::replace(&mut self.buffer, rest);
        frame.truncate(end);
        self.scanned = 0;
        Ok(Some(frame))
    }

    /// Whether the stream stopped in the middle of a frame.
    pub fn is_mid_frame(&self) -> bool {
        !self.buffer.is_empty()
    }
}

/// A request's envelope.
#[derive(Debug, Serialize, Deserialize)]
pub struct Request {
    /// The method's full name.
    pub method: String,
    /// Its parameters, not looked at yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parameters: Option<Box<RawValue>>,
    /// Whether the caller takes more than one reply.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub more: bool,
    /// Whether the caller wants no reply at all.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub oneway: bool,
}

impl Request {
    /// Reads an envelope from a frame.
    ///
    /// # Errors
    /// [`WireError::Malformed`] when the frame is not a JSON object with a method.
    pub fn from_frame(frame: &[u8]) -> Result<Self, WireError> {
        serde_json::from_str(object(frame)?).map_err(|e| WireError::Malformed(e.to_string()))
    }
}

/// A frame as text. serde reads a struct from an array, too; varlink knows objects only. And it reads bytes as well as text, but
/// that takes another copy of its code than what is in an envelope.
fn object(frame: &[u8]) -> Result<&str, WireError> {
    let malformed = |why: &str| WireError::Malformed(why.to_owned());
    let text = std::str::from_utf8(frame).map_err(|_| malformed("not UTF-8"))?;
    if text.trim_ascii_start().starts_with('{') { Ok(text) } else { Err(malformed("not a JSON object")) }
}

/// A reply's envelope.
#[derive(Debug, Deserialize)]
struct Envelope {
    #[serde(default)]
    parameters: Option<Box<RawValue>>,
    #[serde(default)]
    continues: bool,
    #[serde(default)]
    error: Option<String>,
}

/// A reply, its envelope taken off.
#[derive(Debug)]
pub struct Reply {
    /// The method's results, or the error.
    pub result: Result<Box<RawValue>, Refusal>,
    /// Whether another reply to the same request follows.
    pub continues: bool,
}

impl Reply {
    /// Reads a reply from a frame. An error this version does not know becomes [`Refusal::Failed`] with its name.
    ///
    /// # Errors
    /// [`WireError::Malformed`] when the frame is not a reply's envelope.
    pub fn from_frame(frame: &[u8]) -> Result<Self, WireError> {
        let malformed = |e: serde_json::Error| WireError::Malformed(e.to_string());
        let envelope: Envelope = serde_json::from_str(object(frame)?).map_err(malformed)?;
        let result = match (envelope.error, envelope.parameters) {
            (None, Some(parameters)) => Ok(parameters),
            (None, None) => Ok(RawValue::from_string("{}".to_owned()).map_err(malformed)?),
            (Some(name), parameters) => Err(Refusal::parse(&name, parameters.as_deref())),
        };
        Ok(Self { result, continues: envelope.continues })
    }
}

/// A request as a frame, NUL included.
///
/// # Errors
/// None in practice: a request is plain data.
pub fn encode_request(request: &Request) -> Result<Vec<u8>, serde_json::Error> {
    terminated(serde_json::to_vec(request)?)
}

/// A reply as a frame, NUL included. `continues` says that another one follows.
///
/// # Errors
/// None in practice: replies are plain data.
pub fn encode_reply<T: Serialize>(parameters: &T, continues: bool) -> Result<Vec<u8>, serde_json::Error> {
    #[derive(Serialize)]
    struct Outgoing<'a, T> {
        parameters: &'a T,
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        continues: bool,
    }
    terminated(serde_json::to_vec(&Outgoing { parameters, continues })?)
}

/// An error as a frame, NUL included: a [`Refusal`], or another interface's error, `{"error": …, "parameters": …}`.
///
/// # Errors
/// None in practice: errors are plain data.
pub fn encode_error<E: Serialize>(error: &E) -> Result<Vec<u8>, serde_json::Error> {
    terminated(serde_json::to_vec(error)?)
}

fn terminated(mut frame: Vec<u8>) -> Result<Vec<u8>, serde_json::Error> {
    // JSON never contains a raw NUL: serde escapes it as \u0000.
    frame.push(0);
    Ok(frame)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::messages::{Call, Nothing};

    #[test]
    fn frames_come_out_whole_however_they_went_in() {
        let stream = b"{\"a\":1}\0\0{}\0half";
        for step in 1..=stream.len() {
            let mut decoder = Decoder::new(100);
            let mut frames = Vec::new();
            for bytes in stream.chunks(step) {
                decoder.push(bytes);
                while let Ok(Some(frame)) = decoder.next_frame() {
                    frames.push(frame);
                }
            }
            assert_eq!(frames, [&b"{\"a\":1}"[..], b"", b"{}"], "in steps of {step}");
            assert!(decoder.is_mid_frame());
        }
    }

    #[test]
    fn a_frame_past_the_limit_is_refused_before_it_ends() {
        let mut decoder = Decoder::new(8);
        decoder.push(b"12345678\0");
        assert!(matches!(decoder.next_frame(), Ok(Some(_))));
        decoder.push(b"123456789");
        assert_eq!(decoder.next_frame(), Err(WireError::TooLong(8)));
    }

    #[test]
    fn replies_and_errors_are_told_apart() {
        let frame = |text: &str| Reply::from_frame(text.as_bytes());
        let more = frame(r#"{"parameters":{"x":1},"continues":true}"#).ok();
        assert!(more.is_some_and(|r| r.continues && r.result.is_ok()));
        let error = frame(r#"{"error":"io.usher.Broker.NoSuchUser","parameters":{"uid":7}}"#).ok();
        assert!(error.is_some_and(|r| matches!(r.result, Err(Refusal::NoSuchUser { uid: 7 }))));
        let unknown = frame(r#"{"error":"com.example.Odd","parameters":{}}"#).ok();
        assert!(unknown.is_some_and(|r| matches!(r.result, Err(Refusal::Failed { .. }))));
        assert!(frame("[]").is_err() && frame("").is_err() && frame("{").is_err());
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_readers_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let mut decoder = Decoder::new(128);
            decoder.push(&bytes);
            while let Ok(Some(frame)) = decoder.next_frame() {
                if let Ok(request) = Request::from_frame(&frame) {
                    let _ = Call::parse(&request.method, request.parameters.as_deref());
                }
                let _ = Reply::from_frame(&frame);
            }
        }

        #[test]
        fn what_is_encoded_is_decoded(text in "\\PC{0,40}", continues: bool) {
            let error = Refusal::Failed { message: text };
            let mut decoder = Decoder::new(MAX_REQUEST);
            decoder.push(&encode_error(&error).unwrap_or_default());
            decoder.push(&encode_reply(&Nothing {}, continues).unwrap_or_default());
            let first = decoder.next_frame().ok().flatten().and_then(|f| Reply::from_frame(&f).ok());
            prop_assert_eq!(first.map(|r| r.result.err()), Some(Some(error)));
            let second = decoder.next_frame().ok().flatten().and_then(|f| Reply::from_frame(&f).ok());
            prop_assert_eq!(second.map(|r| r.continues), Some(continues));
        }
    }
}
