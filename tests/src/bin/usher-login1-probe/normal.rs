//! Replaces what differs from run to run: session ids become S1, S2 … in the order in which they appear, those of user
//! managers M1, M2 …, process numbers the names of the processes, times T, amounts that depend on the computer N.

use std::collections::BTreeMap;

use crate::wire::{Event, Value};

const ROOT: &str = "/org/freedesktop/login1";
const TIMES: [&str; 7] = [
    "Timestamp",
    "TimestampMonotonic",
    "IdleSinceHint",
    "IdleSinceHintMonotonic",
    "REALTIME",
    "MONOTONIC",
    "LAST_SESSION_TIMESTAMP",
];
const PIDS: [&str; 2] = ["Leader", "LEADER"];
const AMOUNTS: [&str; 2] = ["RuntimeDirectorySize", "RuntimeDirectoryInodesMax"];

#[derive(Debug, Default)]
pub(crate) struct Normal {
    /// Ids in order of appearance, and names.
    sessions: Vec<(String, String)>,
    processes: BTreeMap<i32, String>,
}

impl Normal {
    pub(crate) fn process(&mut self, pid: i32, name: &str) {
        self.processes.insert(pid, name.to_owned());
    }

    /// Notes every session whose path is in there.
    pub(crate) fn learn(&mut self, event: &Event) {
        match event {
            Event::Reply { values, .. } => values.iter().for_each(|value| self.learn_value(value)),
            Event::Signal { path, values, .. } => {
                self.learn_path(path);
                values.iter().for_each(|value| self.learn_value(value));
            }
            Event::Error { .. } => {}
        }
    }

    fn learn_value(&mut self, value: &Value) {
        match value {
            Value::Path(path) => self.learn_path(path),
            Value::Array(values) | Value::Struct(values) => {
                values.iter().for_each(|value| self.learn_value(value));
            }
            Value::Dict(pairs) => pairs.iter().for_each(|(_, value)| self.learn_value(value)),
            Value::Variant(_, value) => self.learn_value(value),
            Value::Bool(_) | Value::Number(_) | Value::Text(_) | Value::Fd(_) => {}
        }
    }

    fn learn_path(&mut self, path: &str) {
        let Some(label) = path.strip_prefix(ROOT).and_then(|rest| rest.strip_prefix("/session/")) else {
            return;
        };
        let id = unescape(label);
        if id == "self" || id == "auto" || self.session(&id).is_some() {
            return;
        }
        // A session is on file before anybody hears of it.
        let file = std::fs::read_to_string(format!("/run/systemd/sessions/{id}")).unwrap_or_default();
        let manager =
            file.lines().any(|line| line == "SERVICE=systemd-user" || line == "SERVICE=usher-user-manager");
        let letter = if manager { 'M' } else { 'S' };
        let number = self.sessions.iter().filter(|(_, name)| name.starts_with(letter)).count() + 1;
        self.sessions.push((id, format!("{letter}{number}")));
    }

    fn session(&self, id: &str) -> Option<String> {
        self.sessions.iter().find(|(known, _)| known == id).map(|(_, name)| name.clone())
    }

    /// An object path: sessions by name, login1's own prefix short.
    pub(crate) fn path(&self, path: &str) -> String {
        let Some(rest) = path.strip_prefix(ROOT) else { return path.to_owned() };
        match rest.strip_prefix("/session/").and_then(|label| self.session(&unescape(label))) {
            Some(name) => format!("login1/session/{name}"),
            None => format!("login1{rest}"),
        }
    }

    /// A string: a session's id as a whole, or in the names of its scope and its pipe; bus names.
    pub(crate) fn text(&self, text: &str) -> String {
        if let Some(name) = self.session(text) {
            return name;
        }
        for (before, after) in [("session-", ".scope"), ("/run/systemd/sessions/", ".ref")] {
            let id = text.strip_prefix(before).and_then(|rest| rest.strip_suffix(after));
            if let Some(name) = id.and_then(|id| self.session(id)) {
                return format!("{before}{name}{after}");
            }
        }
        let unique = |text: &str| {
            text.strip_prefix(":1.").is_some_and(|rest| rest.bytes().all(|byte| byte.is_ascii_digit()))
        };
        let terminal = |text: &str| {
            text.strip_prefix("pts/").is_some_and(|rest| rest.bytes().all(|byte| byte.is_ascii_digit()))
        };
        match text {
            text if unique(text) => ":BUSNAME".to_owned(),
            text if terminal(text) => "pts/TERMINAL".to_owned(),
            text => text.to_owned(),
        }
    }

    /// A message for people: numbers of known processes, and known ids in quotes.
    pub(crate) fn message(&self, message: &str) -> String {
        // Of the bus itself, with everything that it knows about both sides.
        if message.starts_with("Rejected send message") {
            return "Rejected send message …".to_owned();
        }
        let of_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let mut out = String::new();
        let mut rest = message;
        while let Some(start) = rest.find(of_word) {
            let (between, word) = rest.split_at(start);
            let end = word.find(|c| !of_word(c)).unwrap_or(word.len());
            let (word, after) = word.split_at(end);
            out.push_str(between);
            let named = out.ends_with(['\'', '"']) || out.to_lowercase().ends_with("session ");
            let process = word.parse().ok().and_then(|pid: i32| self.processes.get(&pid));
            let process = process.map(|name| format!("<{name}>"));
            let session = match () {
                () if named => self.session(word),
                () if out.ends_with("/session/") => self.session(&unescape(word)),
                () => None,
            };
            out.push_str(&session.or(process).unwrap_or_else(|| word.to_owned()));
            rest = after;
        }
        out + rest
    }

    /// A number: a time, a process, an amount, by the name of its property.
    pub(crate) fn number(&self, key: Option<&str>, number: &str) -> String {
        let Some(key) = key else { return number.to_owned() };
        if TIMES.contains(&key) {
            return if number == "0" { "0" } else { "T" }.to_owned();
        }
        if AMOUNTS.contains(&key) {
            return "N".to_owned();
        }
        if PIDS.contains(&key) { self.pid(number) } else { number.to_owned() }
    }

    /// A process number.
    pub(crate) fn pid(&self, number: &str) -> String {
        let known = number.parse().ok().and_then(|pid: i32| self.processes.get(&pid));
        known.map_or_else(|| "PID".to_owned(), |name| format!("<{name}>"))
    }

    /// Introspection data: child nodes that are sessions by name; children sorted, as their order is no promise.
    pub(crate) fn xml(&self, xml: &str) -> Vec<String> {
        let mut lines = Vec::new();
        let mut children = Vec::new();
        for line in xml.lines().flat_map(element) {
            let line = line.as_str();
            match line.strip_prefix("<node name=\"").and_then(|rest| rest.strip_suffix("\"/>")) {
                Some(label) => {
                    let session = self.session(&unescape(label));
                    children.push(format!("<node name=\"{}\"/>", session.as_deref().unwrap_or(label)));
                }
                None => {
                    children.sort();
                    lines.append(&mut children);
                    lines.push(line.to_owned());
                }
            }
        }
        lines
    }
}

/// One element a line, attributes sorted: neither their order nor the short form of what is empty means anything.
fn element(line: &str) -> Vec<String> {
    let line = line.trim();
    let words = line.strip_prefix('<').and_then(|rest| rest.strip_suffix('>'));
    let Some(words) = words.filter(|words| !words.starts_with(['!', '/'])) else {
        return vec![line.to_owned()];
    };
    let (words, empty) = words.strip_suffix('/').map_or((words, false), |words| (words, true));
    let mut words: Vec<&str> = words.split(' ').collect();
    let name = words.remove(0);
    words.sort_unstable();
    words.insert(0, name);
    let element = words.join(" ");
    match name {
        "node" | "arg" | "annotation" if empty => vec![format!("<{element}/>")],
        name if empty => vec![format!("<{element}>"), format!("</{name}>")],
        _ => vec![format!("<{element}>")],
    }
}

/// The inverse of the escaping of ids in object paths.
fn unescape(label: &str) -> String {
    let mut out = Vec::new();
    let bytes = label.as_bytes();
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let code = label.get(at + 1..at + 3).and_then(|code| u8::from_str_radix(code, 16).ok());
        match code {
            Some(code) if *byte == b'_' => {
                out.push(code);
                at += 3;
            }
            _ => {
                out.push(*byte);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}
