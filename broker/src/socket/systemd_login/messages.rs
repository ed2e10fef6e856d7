//! The methods of io.systemd.Login: parameters, replies and errors (contract/pam.md section 7).

use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use usher_protocol::session::{SessionClass, SessionType};

use super::error::LoginError;
use crate::opening::Opened;

/// The interface's name.
pub(crate) const INTERFACE: &str = "io.systemd.Login";

/// One request, its parameters read.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Call {
    CreateSession(Box<CreateSession>),
    /// The session, or nothing for the caller's.
    ReleaseSession(Option<String>),
}

#[derive(Debug, PartialEq, Eq)]
pub(super) struct CreateSession {
    pub(super) uid: u32,
    pub(super) process: Process,
    pub(super) service: String,
    pub(super) kind: SessionType,
    pub(super) class: SessionClass,
    pub(super) desktop: String,
    pub(super) seat: String,
    pub(super) vtnr: u32,
    pub(super) tty: String,
    pub(super) display: String,
    pub(super) remote: bool,
    pub(super) remote_user: String,
    pub(super) remote_host: String,
    pub(super) extra_device_access: Vec<String>,
}

/// The process that is to lead a session.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Process {
    /// Whoever asks.
    Peer,
    /// Another one, or the same, by number; where it is told, with the number of its pidfd's inode and the boot that these
    /// numbers belong to.
    Named { pid: u32, pidfd_id: Option<u64>, boot_id: Option<String> },
}

impl Call {
    /// Reads a request by the name of its method, without the interface's.
    ///
    /// # Errors
    /// What varlink has for a method or parameter that is not right.
    pub(super) fn parse(method: &str, parameters: Option<&RawValue>) -> Result<Self, LoginError> {
        match method {
            "CreateSession" => {
                let mut fields = Fields::read(parameters)?;
                let call = CreateSession::take(&mut fields)?;
                fields.finish().map(|()| Self::CreateSession(Box::new(call)))
            }
            "ReleaseSession" => {
                let mut fields = Fields::read(parameters)?;
                let id = fields.text("Id")?;
                fields.finish().map(|()| Self::ReleaseSession((!id.is_empty() && id != "self").then_some(id)))
            }
            _ => Err(LoginError::MethodNotFound { method: format!("{INTERFACE}.{}", shortened(method)) }),
        }
    }
}

impl CreateSession {
    fn take(fields: &mut Fields) -> Result<Self, LoginError> {
        let invalid = LoginError::invalid;
        let uid = fields.number("UID")?.ok_or_else(|| invalid("UID", "missing"))?;
        let process = fields.process("PID")?;
        let (kind, class) = (fields.word("Type")?, fields.word("Class")?);
        let (remote_user, remote_host) = (fields.text("RemoteUser")?, fields.text("RemoteHost")?);
        let somewhere = !remote_user.is_empty() || !remote_host.is_empty();
        Ok(Self {
            uid: u32::try_from(uid).map_err(|_| invalid("UID", "not a number below 2^32"))?,
            process,
            service: fields.text("Service")?,
            kind,
            class,
            desktop: fields.text("Desktop")?,
            seat: fields.text("Seat")?,
            vtnr: u32::try_from(fields.number("VTNr")?.unwrap_or(0))
                .map_err(|_| invalid("VTNr", "not the number of a terminal"))?,
            tty: fields.text("TTY")?,
            display: fields.text("Display")?,
            remote: fields.boolean("Remote")?.unwrap_or(somewhere),
            remote_user,
            remote_host,
            extra_device_access: fields.texts("ExtraDeviceAccess")?,
        })
    }
}

/// Parameters that have not been taken yet. varlink does not tell null from absent.
struct Fields(Map<String, Value>);

impl Fields {
    fn read(parameters: Option<&RawValue>) -> Result<Self, LoginError> {
        let Some(parameters) = parameters else { return Ok(Self(Map::new())) };
        let read = serde_json::from_str(parameters.get());
        read.map(Self).map_err(|error| LoginError::invalid("parameters", error.to_string()))
    }

    fn take(&mut self, name: &str) -> Option<Value> {
        self.0.remove(name).filter(|value| !value.is_null())
    }

    fn text(&mut self, name: &'static str) -> Result<String, LoginError> {
        match self.take(name) {
            None => Ok(String::new()),
            Some(Value::String(text)) => Ok(text),
            Some(_) => Err(LoginError::invalid(name, "not a string")),
        }
    }

    fn texts(&mut self, name: &'static str) -> Result<Vec<String>, LoginError> {
        let text = |value| if let Value::String(text) = value { Some(text) } else { None };
        let all = match self.take(name) {
            None => Some(Vec::new()),
            Some(Value::Array(values)) => values.into_iter().map(text).collect(),
            Some(_) => None,
        };
        all.ok_or_else(|| LoginError::invalid(name, "not an array of strings"))
    }

    fn number(&mut self, name: &'static str) -> Result<Option<u64>, LoginError> {
        let number = |value: Value| value.as_u64().ok_or_else(|| LoginError::invalid(name, "not a number"));
        self.take(name).map(number).transpose()
    }

    fn boolean(&mut self, name: &'static str) -> Result<Option<bool>, LoginError> {
        let boolean =
            |value: Value| value.as_bool().ok_or_else(|| LoginError::invalid(name, "not a boolean"));
        self.take(name).map(boolean).transpose()
    }

    /// A value of an enumeration, in which varlink permits no dashes.
    fn word<T: std::str::FromStr>(&mut self, name: &'static str) -> Result<T, LoginError> {
        let word = self.text(name)?;
        let known = if word.contains('-') { None } else { word.replace('_', "-").parse().ok() };
        known.ok_or_else(|| LoginError::invalid(name, format!("'{}' is none", shortened(&word))))
    }

    fn process(&mut self, name: &'static str) -> Result<Process, LoginError> {
        let invalid = |message: &str| LoginError::invalid(name, message);
        let (pid, pidfd_id, boot_id) = match self.take(name) {
            None => return Ok(Process::Peer),
            Some(Value::Object(object)) => {
                let mut fields = Self(object);
                let pid = fields.take("pid").and_then(|pid| pid.as_u64());
                let pidfd_id = fields.number("pidfdId").map_err(|_| invalid("pidfdId is not a number"))?;
                let boot_id = fields.text("bootId").map_err(|_| invalid("bootId is not a string"))?;
                fields.finish().map_err(|_| invalid("more than pid, pidfdId and bootId"))?;
                (pid, pidfd_id.filter(|&id| id != 0), Some(boot_id).filter(|id| !id.is_empty()))
            }
            Some(value) => (value.as_u64(), None, None),
        };
        let pid = pid.and_then(|pid| u32::try_from(pid).ok()).filter(|&pid| pid > 0);
        let pid = pid.ok_or_else(|| invalid("not the number of a process"))?;
        Ok(Process::Named { pid, pidfd_id, boot_id })
    }

    fn finish(self) -> Result<(), LoginError> {
        match self.0.keys().next() {
            None => Ok(()),
            Some(name) => {
                let (parameter, message) = (shortened(name), "there is no such parameter".to_owned());
                Err(LoginError::InvalidParameter { parameter, message })
            }
        }
    }
}

/// The answer to a CreateSession.
#[derive(Debug, Serialize)]
pub(super) struct Created {
    #[serde(rename = "Id")]
    id: String,
    #[serde(rename = "RuntimePath")]
    runtime_path: String,
    #[serde(rename = "UID")]
    uid: u32,
    #[serde(rename = "Seat", skip_serializing_if = "Option::is_none")]
    seat: Option<String>,
    #[serde(rename = "VTNr", skip_serializing_if = "Option::is_none")]
    vtnr: Option<u32>,
    #[serde(rename = "Type")]
    kind: String,
    #[serde(rename = "Class")]
    class: String,
}

impl From<Opened> for Created {
    fn from(opened: Opened) -> Self {
        let word = |word: &str| word.replace('-', "_");
        Self {
            id: opened.id.into(),
            runtime_path: opened.runtime_path,
            uid: opened.uid.get(),
            seat: opened.seat.map(String::from),
            vtnr: opened.vtnr.map(u32::from),
            kind: word(opened.kind.as_str()),
            class: word(opened.class.as_str()),
        }
    }
}

/// At most 64 characters of a text that came from a peer, made printable.
fn shortened(text: &str) -> String {
    text.chars().take(64).flat_map(char::escape_default).collect()
}

#[cfg(test)]
mod tests;
