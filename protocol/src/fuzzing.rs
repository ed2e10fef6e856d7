//! What has to be true of the codec for any bytes whatever. Called by the fuzz target `codec`, and by a test with the seeds
//! and with all that the fuzzer has ever found.

// To panic is what it is for.
#![allow(clippy::expect_used)]

use serde::de::DeserializeOwned;

use crate::ids::{SeatId, SessionId, Uid, UserName, VtNr};
use crate::messages::{Call, MAX_TEXT, OpenSessionReply, Refusal};
use crate::wire::{Decoder, MAX_REQUEST, Reply, Request, encode_error, encode_reply, encode_request};

/// A limit that the fuzzer can reach.
const LIMIT: usize = 2048;
/// No refusal quotes more of what it was asked than this, in bytes.
const MAX_REFUSAL: usize = 4096;

/// Bytes as they come from a peer. Whether there was a whole message that means something.
///
/// # Panics
/// What has to be true is not.
pub fn codec(bytes: &[u8]) -> bool {
    let whole = frames(bytes, bytes.len().max(1));
    for step in [1, 7] {
        assert_eq!(frames(bytes, step), whole, "cut into pieces of {step}, the stream is another one");
    }
    identifiers(&String::from_utf8_lossy(bytes));
    let sound = |frame: &Vec<u8>| request(frame) | reply(frame);
    whole.iter().filter(|frame| sound(frame)).count() > 0
}

/// Every frame up to the first that is too long.
fn frames(bytes: &[u8], step: usize) -> Vec<Vec<u8>> {
    let mut decoder = Decoder::new(LIMIT);
    let mut frames = Vec::new();
    for piece in bytes.chunks(step) {
        decoder.push(piece);
        loop {
            match decoder.next_frame() {
                Ok(Some(frame)) => {
                    assert!(frame.len() <= LIMIT && !frame.contains(&0), "{frame:?}");
                    frames.push(frame);
                }
                Ok(None) => break,
                // The connection is closed then.
                Err(_) => return frames,
            }
        }
    }
    frames
}

fn request(frame: &[u8]) -> bool {
    let Ok(request) = Request::from_frame(frame) else { return false };
    let again = encode_request(&request).expect("a request is plain data");
    assert!(again.len() <= MAX_REQUEST, "a request that came in goes out");
    let again = decoded(&again);
    let envelope = Request::from_frame(&again).expect("a request that went out comes in");
    assert_eq!(
        (&envelope.method, envelope.more, envelope.oneway),
        (&request.method, request.more, request.oneway)
    );
    match Call::parse(&request.method, request.parameters.as_deref()) {
        Err(refusal) => {
            let text = refusal.to_string();
            assert!(text.len() <= MAX_REFUSAL && !text.contains(char::is_control), "{text:?}");
            refused(&refusal);
            false
        }
        Ok(call) => {
            assert_eq!(call.method(), request.method);
            let parameters = call.parameters().expect("parameters are plain data");
            assert_eq!(
                Call::parse(call.method(), Some(&parameters)),
                Ok(call.clone()),
                "{}",
                parameters.get()
            );
            bounded(&call);
            true
        }
    }
}

/// What a login says ends up in files and logs.
fn bounded(call: &Call) {
    let Call::OpenSession(login) = call else { return };
    if login.validate().is_err() {
        return;
    }
    for text in
        [&login.service, &login.tty, &login.display, &login.remote_user, &login.remote_host, &login.desktop]
    {
        assert!(text.len() <= MAX_TEXT && !text.contains(char::is_control), "{text:?}");
    }
}

fn reply(frame: &[u8]) -> bool {
    let Ok(reply) = Reply::from_frame(frame) else { return false };
    match &reply.result {
        Ok(parameters) => {
            let again = decoded(&encode_reply(parameters, reply.continues).expect("a reply is plain data"));
            let again = Reply::from_frame(&again).expect("a reply that went out comes in");
            assert_eq!(again.continues, reply.continues);
            if let Ok(opened) = serde_json::from_str::<OpenSessionReply>(parameters.get()) {
                let text = serde_json::to_string(&opened).expect("a reply is plain data");
                assert_eq!(serde_json::from_str::<OpenSessionReply>(&text).ok(), Some(opened), "{text}");
            }
        }
        Err(refusal) => refused(refusal),
    }
    true
}

fn refused(refusal: &Refusal) {
    let again = decoded(&encode_error(refusal).expect("an error is plain data"));
    let reply = Reply::from_frame(&again).expect("an error that went out comes in");
    assert_eq!(reply.result.err().as_ref(), Some(refusal));
}

/// A frame that has just been encoded, as it comes out at the other end.
fn decoded(bytes: &[u8]) -> Vec<u8> {
    let mut decoder = Decoder::new(usize::MAX);
    decoder.push(bytes);
    let frame = decoder.next_frame().expect("no limit").expect("a whole frame");
    assert!(!decoder.is_mid_frame(), "one frame");
    frame
}

/// Identifiers come out as they went in, and are safe where they are put.
fn identifiers(text: &str) {
    let text: String = text.chars().take(300).collect();
    if let Some(id) = same::<SessionId>(&text) {
        assert!(!id.contains(['/', '.']) && SessionId::from_scope(&format!("session-{id}.scope")).is_some());
    }
    if let Some(name) = same::<UserName>(&text) {
        assert!(!name.contains(['/', ':', '\n', '\0']) && name != "." && name != ".." && name.len() <= 255);
        assert!(name.parse::<u32>().is_err(), "a name that is a number: {name}");
    }
    if let Some(seat) = same::<SeatId>(&text) {
        assert!(!seat.contains(['/', '.']));
    }
    let number = same::<Uid>(&text).and_then(|uid| uid.parse::<u32>().ok());
    assert!(!matches!(number, Some(0xFFFF | u32::MAX)), "{text}");
    if let Some(vt) = VtNr::from_tty(&text) {
        assert!(text.ends_with(&format!("tty{vt}")) && (1..=63).contains(&vt.get()));
    }
    if let Some(id) = SessionId::from_scope(&text) {
        assert_eq!(id.scope(), text);
    }
    if let Err(error) = text.parse::<UserName>() {
        let error = error.to_string();
        assert!(error.len() <= MAX_REFUSAL && !error.contains(char::is_control), "{error:?}");
    }
}

/// The text of an identifier, if it is one: also when it has been through JSON.
fn same<T>(text: &str) -> Option<String>
where
    T: std::str::FromStr + ToString + PartialEq + std::fmt::Debug + DeserializeOwned + serde::Serialize,
{
    let id: T = text.parse().ok()?;
    assert_eq!(id.to_string(), text);
    let json = serde_json::to_string(&id).expect("an identifier is plain data");
    assert_eq!(serde_json::from_str::<T>(&json).ok().as_ref(), Some(&id), "{json}");
    Some(text.to_owned())
}

#[cfg(test)]
mod tests {
    /// Everything in `fuzz/seeds/TARGET` and `fuzz/found/TARGET`.
    fn cases(target: &str) -> Vec<(std::path::PathBuf, Vec<u8>)> {
        let fuzz = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz");
        let directories = ["seeds", "found"].map(|kind| fuzz.join(kind).join(target));
        let entries = directories.iter().filter_map(|directory| std::fs::read_dir(directory).ok()).flatten();
        let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
        paths.filter_map(|path| Some((path.clone(), std::fs::read(path).ok()?))).collect()
    }

    #[test]
    fn seeds_and_found_cases() {
        let meant: Vec<_> = cases("codec").into_iter().filter(|(_, bytes)| super::codec(bytes)).collect();
        assert!(meant.len() >= 4, "seeds that mean something: {meant:?}");
    }
}
