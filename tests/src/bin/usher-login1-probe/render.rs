//! How the transcript writes calls and what came of them.

use crate::normal::Normal;
use crate::wire::{Arg, Call, Event, Value};

const PREFIX: &str = "org.freedesktop.login1.";

/// `root: login1 Manager.GetSession(s "x")`.
pub(crate) fn call(normal: &Normal, who: &str, call: &Call) -> String {
    let args: Vec<String> = call.args.iter().map(|arg| self::arg(normal, arg)).collect();
    let interface = short(&call.interface);
    format!("{who}: {} {interface}.{}({})", normal.path(&call.path), call.member, args.join(", "))
}

/// Everything that arrived, indented.
pub(crate) fn events(normal: &Normal, to: Option<&Call>, events: &[Event]) -> Vec<String> {
    let mut lines = Vec::new();
    for event in events {
        // Sessions are told one after the other in no order that anybody knows.
        let everybody = to.is_some_and(|call| ["LockSessions", "UnlockSessions"].contains(&&*call.member));
        if everybody && !matches!(event, Event::Signal { .. }) {
            lines.sort();
        }
        lines.extend(self::event(normal, to, event));
    }
    lines
}

/// One thing that arrived, one or more lines.
fn event(normal: &Normal, to: Option<&Call>, event: &Event) -> Vec<String> {
    match event {
        Event::Error { name, message } => {
            vec![format!("  ! {name}: {}", normal.message(message).replace('\n', "\\n"))]
        }
        Event::Signal { path, interface, member, signature, values } => {
            let values = list(normal, None, values);
            vec![format!("  * {} {}.{member} {signature}({values})", normal.path(path), short(interface))]
        }
        Event::Reply { signature, values } => reply(normal, to, signature, values),
    }
}

fn reply(normal: &Normal, to: Option<&Call>, signature: &str, values: &[Value]) -> Vec<String> {
    let member = to.map_or("", |call| call.member.as_str());
    match (member, values) {
        ("GetAll", [Value::Dict(pairs)]) => {
            let mut lines = vec![format!("  = {signature}")];
            lines.extend(pairs.iter().map(|(key, value)| {
                let Value::Text(key) = key else { return "    ?".to_owned() };
                format!("    {key}: {}", self::value(normal, Some(key), value))
            }));
            lines
        }
        ("Introspect", [Value::Text(xml)]) => {
            let mut lines = vec![format!("  = {signature}")];
            lines.extend(normal.xml(xml).iter().map(|line| format!("    {line}")));
            lines
        }
        ("Get", [value]) => {
            let key = to.and_then(|call| match call.args.get(1) {
                Some(Arg::S(key)) => Some(key.as_str()),
                _ => None,
            });
            vec![format!("  = {signature} {}", self::value(normal, key, value))]
        }
        ("ListSessionsEx", [Value::Array(rows)]) => {
            rows_with_keys(normal, signature, rows, &[(4, "Leader"), (8, "Timestamp")])
        }
        ("ListInhibitors", [Value::Array(rows)]) => rows_with_keys(normal, signature, rows, &[(5, "Leader")]),
        (_, [Value::Array(rows)]) => rows_with_keys(normal, signature, rows, &[]),
        (_, []) => vec!["  =".to_owned()],
        _ => vec![format!("  = {signature} ({})", list(normal, None, values))],
    }
}

/// A table, one row a line, sorted: the order of lists is no promise.
fn rows_with_keys(
    normal: &Normal,
    signature: &str,
    rows: &[Value],
    keys: &[(usize, &'static str)],
) -> Vec<String> {
    let row = |row: &Value| match row {
        Value::Struct(fields) => {
            let fields = fields.iter().enumerate().map(|(index, field)| {
                let key = keys.iter().find(|(at, _)| *at == index).map(|(_, key)| *key);
                value(normal, key, field)
            });
            format!("    ({})", fields.collect::<Vec<_>>().join(", "))
        }
        other => format!("    {}", value(normal, None, other)),
    };
    let mut table: Vec<String> = rows.iter().map(row).collect();
    table.sort();
    table.insert(0, format!("  = {signature}"));
    table
}

fn list(normal: &Normal, key: Option<&str>, values: &[Value]) -> String {
    values.iter().map(|value| self::value(normal, key, value)).collect::<Vec<_>>().join(", ")
}

fn value(normal: &Normal, key: Option<&str>, value: &Value) -> String {
    match value {
        Value::Bool(value) => value.to_string(),
        Value::Number(number) => normal.number(key, number),
        Value::Text(text) => format!("{:?}", normal.text(text)),
        Value::Path(path) => normal.path(path),
        Value::Array(values) => format!("[{}]", list(normal, key, values)),
        Value::Struct(values) => format!("({})", list(normal, key, values)),
        Value::Variant(signature, inner) => format!("{signature} {}", self::value(normal, key, inner)),
        Value::Fd(kind) => format!("<{kind}>"),
        Value::Dict(pairs) => {
            let pairs = pairs.iter().map(|(key, value)| match key {
                Value::Text(key) => format!("{key}: {}", self::value(normal, Some(key), value)),
                key => format!("{}: {}", self::value(normal, None, key), self::value(normal, None, value)),
            });
            format!("{{{}}}", pairs.collect::<Vec<_>>().join(", "))
        }
    }
}

fn arg(normal: &Normal, arg: &Arg) -> String {
    match arg {
        Arg::S(text) if text.len() > 100 => format!("s ({} bytes)", text.len()),
        Arg::S(text) => format!("s {:?}", normal.text(text)),
        Arg::U(number) => format!("u {number}"),
        Arg::Pid(pid) => format!("u {}", normal.pid(&pid.to_string())),
        Arg::I(number) => format!("i {number}"),
        Arg::B(value) => format!("b {value}"),
        Arg::T(number) => format!("t {number}"),
        Arg::O(path) => format!("o {}", normal.path(path)),
        Arg::V(inner) => format!("v {}", self::arg(normal, inner)),
        Arg::Properties(properties) => {
            let properties =
                properties.iter().map(|(name, value)| format!("{name}: {}", self::arg(normal, value)));
            format!("a(sv) [{}]", properties.collect::<Vec<_>>().join(", "))
        }
        Arg::PidFd(pid) => format!("h pidfd of {}", normal.pid(&pid.to_string())),
        Arg::Held(name) => format!("h {name}"),
        Arg::Null => "h /dev/null".to_owned(),
    }
}

fn short(interface: &str) -> &str {
    interface.strip_prefix(PREFIX).unwrap_or(interface)
}
