//! What a login says to usherd and hears from it, for pam_usher.so: the same messages as [`crate::messages`] has them, field by
//! field. The code that serde generates for them takes as much room as everything else in that shared object which is not
//! the standard library's, and every login loads it. The tests hold both together.

mod fields;
#[cfg(test)]
mod tests;

use std::str::FromStr;

use fields::BadField;
pub use fields::{Fields, Writer};

use crate::messages::{
    CloseRequest, CloseToken, ErrorParameters, Nothing, OpenPhase, OpenSessionReply, Refusal, SessionRequest,
};
use crate::wire::WireError;

/// What a login asks for.
pub trait LoginRequest {
    /// The method's full name.
    const METHOD: &'static str;

    /// The parameters, as JSON.
    fn parameters(&self) -> String;
}

impl LoginRequest for SessionRequest {
    const METHOD: &'static str = "io.usher.Broker.OpenSession";

    fn parameters(&self) -> String {
        let Self {
            uid, gid, user, home, shell, service, kind, class, desktop, seat, vtnr, tty, display, ..
        } = self;
        let Self { remote, remote_user, remote_host, retry, .. } = self;
        let mut to = Writer::new();
        to.number("uid", uid.get());
        to.number("gid", *gid);
        to.text("user", user.as_str());
        to.text("home", home);
        to.text("shell", shell);
        to.text("service", service);
        to.text("type", kind.as_str());
        to.text("class", class.as_str());
        to.text_if_any("desktop", desktop);
        to.text_if_any("seat", seat.as_ref().map_or("", |seat| seat.as_str()));
        if let Some(vtnr) = vtnr {
            to.number("vtnr", vtnr.get());
        }
        to.text_if_any("tty", tty);
        to.text_if_any("display", display);
        to.flag("remote", *remote);
        to.text_if_any("remote_user", remote_user);
        to.text_if_any("remote_host", remote_host);
        if *retry {
            to.flag("retry", true);
        }
        to.finish()
    }
}

impl LoginRequest for CloseRequest {
    const METHOD: &'static str = "io.usher.Broker.CloseSession";

    fn parameters(&self) -> String {
        let Self { session, token } = self;
        let mut to = Writer::new();
        to.text("session", session.as_str());
        if let Some(token) = token {
            to.text("token", token.expose());
        }
        to.finish()
    }
}

/// A request as a frame, NUL included.
pub(crate) fn encode(method: &str, parameters: &str, more: bool) -> Vec<u8> {
    let mut to = Writer::new();
    to.text("method", method);
    to.raw("parameters", parameters);
    if more {
        to.flag("more", true);
    }
    let mut frame = to.finish().into_bytes();
    // JSON never contains a raw NUL.
    frame.push(0);
    frame
}

/// What a login is told.
pub trait LoginReply: private::Read {}

impl LoginReply for OpenSessionReply {}
impl LoginReply for Nothing {}

mod private {
    use super::{BadField, Fields};

    /// How it is read.
    pub trait Read: Sized {
        #[allow(private_interfaces)]
        fn read(from: Fields) -> Result<Self, BadField>;
    }
}

#[allow(private_interfaces)]
impl private::Read for OpenSessionReply {
    fn read(mut from: Fields) -> Result<Self, BadField> {
        let phase = match from.text("phase")?.as_deref() {
            Some("registered") => OpenPhase::Registered,
            Some("settled") => OpenPhase::Settled,
            _ => return Err(BadField("phase")),
        };
        let vtnr = match from.number("vtnr")? {
            0 => None,
            number => u32::try_from(number)
                .ok()
                .map(TryFrom::try_from)
                .and_then(Result::ok)
                .map(Some)
                .ok_or(BadField("vtnr"))?,
        };
        Ok(Self {
            phase,
            session: parsed(&mut from, "session")?,
            token: from.text("token")?.map(CloseToken::new),
            existing: from.flag("existing")?,
            runtime_only: from.flag("runtime_only")?,
            class: parsed(&mut from, "class")?,
            runtime_path: from.text("runtime_path")?,
            seat: parsed(&mut from, "seat")?,
            vtnr,
            wait_usec: from.number("wait_usec")?,
            manager: parsed(&mut from, "manager")?.ok_or(BadField("manager"))?,
            notice: from.text("notice")?.unwrap_or_default(),
        })
    }
}

#[allow(private_interfaces)]
impl private::Read for Nothing {
    fn read(_: Fields) -> Result<Self, BadField> {
        Ok(Self {})
    }
}

fn parsed<T: FromStr>(from: &mut Fields, name: &'static str) -> Result<Option<T>, BadField> {
    from.text(name)?.map(|text| text.parse().map_err(|_| BadField(name))).transpose()
}

/// A reply without its envelope: what it says, and whether another one follows.
///
/// # Errors
/// [`WireError::Malformed`] when the frame is no reply to such a request.
pub(crate) fn decode<T: LoginReply>(frame: &[u8]) -> Result<(Result<T, Refusal>, bool), WireError> {
    let (parameters, continues) = open_envelope(frame)?;
    let result = match parameters {
        Ok(parameters) => Ok(T::read(parameters).map_err(malformed)?),
        Err(refusal) => Err(refusal),
    };
    Ok((result, continues))
}

fn open_envelope(frame: &[u8]) -> Result<(Result<Fields, Refusal>, bool), WireError> {
    let mut envelope =
        Fields::parse(frame).ok_or_else(|| WireError::Malformed("not a JSON object".to_owned()))?;
    let mut read = || {
        let continues = envelope.flag("continues")?;
        let error = envelope.text("error")?;
        Ok((error, envelope.fields("parameters")?, continues))
    };
    let (error, parameters, continues) = read().map_err(malformed)?;
    let result = match error {
        None => Ok(parameters),
        // Whatever is wrong with the parameters, it is an error that was meant.
        Some(name) => Err(Refusal::named(&name, of_an_error(parameters).unwrap_or_default())),
    };
    Ok((result, continues))
}

fn of_an_error(mut from: Fields) -> Result<ErrorParameters, BadField> {
    let mut text = |name| Ok(from.text(name)?.unwrap_or_default());
    Ok(ErrorParameters {
        session: text("session")?,
        seat: text("seat")?,
        parameter: text("parameter")?,
        interface: text("interface")?,
        method: text("method")?,
        message: text("message")?,
        uid: from.number("uid")?.try_into().map_err(|_| BadField("uid"))?,
    })
}

fn malformed(BadField(name): BadField) -> WireError {
    WireError::Malformed(name.to_owned())
}
