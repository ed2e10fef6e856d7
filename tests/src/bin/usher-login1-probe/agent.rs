//! One bus connection: a process that does what the probe tells it on standard input, until that ends.

use std::collections::HashMap;
use std::io::{BufRead, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::pin::Pin;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use futures_core::Stream;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::stat::{SFlag, fstat};
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use tokio::time::timeout_at;
use zbus::message::Type;
use zbus::wire::{Array, ObjectPath, StructureBuilder};
use zbus::{Connection, Fd, Message, MessageStream, Signature, Structure, Variant};

use crate::wire::{Answer, Arg, Call, Event, Request, Value};

pub(crate) const LOGIN1: &str = "org.freedesktop.login1";
/// Whatever is waited for comes within this time.
pub(crate) const LIMIT: Duration = Duration::from_secs(30);

struct Agent {
    connection: Connection,
    stream: MessageStream,
    held: HashMap<String, Vec<OwnedFd>>,
}

/// Connects, says so, and obeys.
pub(crate) fn serve() -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut agent = runtime.block_on(connect())?;
    say(&Answer::Events(Vec::new()))?;
    for line in std::io::stdin().lock().lines() {
        let request: Request = serde_json::from_str(&line?).context("a request that is no request")?;
        let answer = runtime.block_on(agent.obey(request));
        say(&answer.unwrap_or_else(|error| Answer::Failed(format!("{error:#}"))))?;
    }
    Ok(())
}

fn say(answer: &Answer) -> Result<()> {
    let mut out = std::io::stdout().lock();
    serde_json::to_writer(&mut out, answer)?;
    out.write_all(b"\n")?;
    Ok(out.flush()?)
}

async fn connect() -> Result<Agent> {
    // Nothing may be lost while the probe is busy elsewhere.
    let queue = std::num::NonZeroUsize::new(4096).context("no queue")?;
    let connection =
        zbus::connection::Builder::system().max_queued(queue).build().await.context("connect to the bus")?;
    let stream = MessageStream::from(&connection);
    Ok(Agent { connection, stream, held: HashMap::new() })
}

impl Agent {
    async fn obey(&mut self, request: Request) -> Result<Answer> {
        match request {
            Request::Subscribe => {
                let bus = "org.freedesktop.DBus";
                let rule = format!("type='signal',sender='{LOGIN1}'");
                let message = Message::method_call("/org/freedesktop/DBus", "AddMatch")
                    .destination(bus)
                    .interface(bus)
                    .build(&rule)?;
                self.exchange(&message, None).await
            }
            Request::Call(call) => {
                let message = self.message(&call)?;
                self.exchange(&message, call.hold).await
            }
            Request::Wait { interface, member, about } => {
                let about = |values: &[Value]| match (&about, values.first()) {
                    (None, _) => true,
                    (Some(about), Some(Value::Text(first))) => first == about,
                    _ => false,
                };
                self.collect(|event| {
                    matches!(event, Event::Signal { interface: i, member: m, values, .. }
                        if *i == interface && *m == member && about(values))
                })
                .await
            }
            Request::Close(name) => {
                self.held.remove(&name).with_context(|| format!("nothing is held as {name}"))?;
                Ok(Answer::Events(Vec::new()))
            }
            Request::Terminal(name) => self.terminal(name),
        }
    }

    async fn exchange(&mut self, message: &Message, hold: Option<String>) -> Result<Answer> {
        let serial = message.primary_header().serial_num();
        self.connection.send(message).await.context("send a call")?;
        let mut events = Vec::new();
        let deadline = tokio::time::Instant::now() + LIMIT;
        loop {
            let Ok(message) = timeout_at(deadline, next(&mut self.stream)).await else {
                return Ok(Answer::Late(events));
            };
            let message = message?;
            let ours = message.header().reply_serial() == Some(serial);
            let Some(event) = event(&message, ours)? else { continue };
            events.push(event);
            if ours {
                let replied = matches!(events.last(), Some(Event::Reply { .. }));
                if let Some(name) = hold.filter(|_| replied) {
                    self.held.insert(name, descriptors(&message)?);
                }
                return Ok(Answer::Events(events));
            }
        }
    }

    async fn collect(&mut self, last: impl Fn(&Event) -> bool) -> Result<Answer> {
        let mut events = Vec::new();
        let deadline = tokio::time::Instant::now() + LIMIT;
        loop {
            let Ok(message) = timeout_at(deadline, next(&mut self.stream)).await else {
                return Ok(Answer::Late(events));
            };
            let Some(event) = event(&message?, false)? else { continue };
            events.push(event);
            if events.last().is_some_and(&last) {
                return Ok(Answer::Events(events));
            }
        }
    }

    fn message(&self, call: &Call) -> Result<Message> {
        let builder = Message::method_call(call.path.as_str(), call.member.as_str())
            .destination(LOGIN1)
            .interface(call.interface.as_str());
        if call.args.is_empty() {
            return Ok(builder.build(&())?);
        }
        let mut body = StructureBuilder::new();
        for arg in &call.args {
            body = body.append_field(self.variant(arg)?);
        }
        Ok(builder.build(&body.build()?)?)
    }

    fn variant(&self, arg: &Arg) -> Result<Variant<'static>> {
        Ok(match arg {
            Arg::S(text) => Variant::Str(text.clone().into()),
            Arg::U(number) => Variant::U32(*number),
            Arg::Pid(pid) => Variant::U32(pid.cast_unsigned()),
            Arg::I(number) => Variant::I32(*number),
            Arg::B(value) => Variant::Bool(*value),
            Arg::T(number) => Variant::U64(*number),
            Arg::O(path) => Variant::ObjectPath(ObjectPath::try_from(path.clone())?),
            Arg::V(arg) => Variant::Variant(Box::new(self.variant(arg)?)),
            Arg::Properties(properties) => {
                let mut array = Array::new(&Signature::structure([Signature::Str, Signature::Variant]));
                for (name, arg) in properties {
                    let value = Variant::Variant(Box::new(self.variant(arg)?));
                    let pair = StructureBuilder::new().add_field(name.clone()).append_field(value).build()?;
                    array.append(Variant::Structure(pair))?;
                }
                Variant::Array(array)
            }
            Arg::PidFd(pid) => {
                let pid = Pid::from_raw(*pid).context("0 is no process")?;
                Variant::Fd(Fd::from(pidfd_open(pid, PidfdFlags::empty()).context("open a pidfd")?))
            }
            Arg::Held(name) => {
                let held = self.held.get(name).and_then(|held| held.first());
                Variant::Fd(Fd::from(held.with_context(|| format!("nothing held as {name}"))?.try_clone()?))
            }
            Arg::Null => Variant::Fd(Fd::from(OwnedFd::from(std::fs::File::open("/dev/null")?))),
        })
    }

    fn terminal(&mut self, name: String) -> Result<Answer> {
        let pty = nix::pty::openpty(None, None).context("open a terminal")?;
        let path = nix::unistd::ttyname(&pty.slave).context("name a terminal")?;
        self.held.insert(name.clone(), vec![pty.slave]);
        self.held.insert(format!("{name}'s other end"), vec![pty.master]);
        Ok(Answer::Terminal(path.strip_prefix("/dev").unwrap_or(&path).display().to_string()))
    }
}

async fn next(stream: &mut MessageStream) -> Result<Message> {
    let message = std::future::poll_fn(|context| Pin::new(&mut *stream).poll_next(context)).await;
    Ok(message.context("the bus has closed the connection")??)
}

/// `None` for what is none of the probe's business: signals of the bus itself, replies to zbus' own calls.
fn event(message: &Message, ours: bool) -> Result<Option<Event>> {
    let header = message.header();
    let body = message.body();
    Ok(match message.message_type() {
        Type::MethodReturn if ours => {
            Some(Event::Reply { signature: signature(&body), values: values(&body)? })
        }
        Type::Error if ours => {
            let name = header.error_name().map(ToString::to_string).unwrap_or_default();
            let message = values(&body)?.into_iter().find_map(|value| match value {
                Value::Text(text) => Some(text),
                _ => None,
            });
            Some(Event::Error { name, message: message.unwrap_or_default() })
        }
        Type::Signal
            if header.interface().is_some_and(|name| !name.starts_with("org.freedesktop.DBus"))
                || header.member().is_some_and(|name| name == "PropertiesChanged") =>
        {
            Some(Event::Signal {
                path: header.path().map(ToString::to_string).unwrap_or_default(),
                interface: header.interface().map(ToString::to_string).unwrap_or_default(),
                member: header.member().map(ToString::to_string).unwrap_or_default(),
                signature: signature(&body),
                values: values(&body)?,
            })
        }
        _ => None,
    })
}

fn signature(body: &zbus::message::Body) -> String {
    body.signature().to_string_no_parens()
}

fn values(body: &zbus::message::Body) -> Result<Vec<Value>> {
    if body.is_empty() {
        return Ok(Vec::new());
    }
    let structure: Structure<'_> = body.deserialize().context("read a message")?;
    structure.fields().iter().map(value).collect()
}

fn descriptors(message: &Message) -> Result<Vec<OwnedFd>> {
    let body = message.body();
    if body.is_empty() {
        return Ok(Vec::new());
    }
    let structure: Structure<'_> = body.deserialize().context("read a message")?;
    let fds = structure.fields().iter().filter_map(|field| match field {
        Variant::Fd(fd) => Some(fd.as_fd().try_clone_to_owned().context("keep a descriptor")),
        _ => None,
    });
    fds.collect()
}

fn value(variant: &Variant<'_>) -> Result<Value> {
    let all = |variants: &[Variant<'_>]| variants.iter().map(value).collect::<Result<Vec<_>>>();
    Ok(match variant {
        Variant::Bool(value) => Value::Bool(*value),
        Variant::U8(number) => Value::Number(number.to_string()),
        Variant::I16(number) => Value::Number(number.to_string()),
        Variant::U16(number) => Value::Number(number.to_string()),
        Variant::I32(number) => Value::Number(number.to_string()),
        Variant::U32(number) => Value::Number(number.to_string()),
        Variant::I64(number) => Value::Number(number.to_string()),
        Variant::U64(number) => Value::Number(number.to_string()),
        Variant::F64(number) => Value::Number(number.to_string()),
        Variant::Str(text) => Value::Text(text.to_string()),
        Variant::Signature(signature) => Value::Text(signature.to_string()),
        Variant::ObjectPath(path) => Value::Path(path.to_string()),
        Variant::Variant(inner) => {
            Value::Variant(inner.value_signature().to_string(), Box::new(value(inner)?))
        }
        Variant::Array(array) => Value::Array(all(array.inner())?),
        Variant::Dict(dict) => {
            let pairs = dict.iter().map(|(key, item)| Ok((value(key)?, value(item)?)));
            Value::Dict(pairs.collect::<Result<_>>()?)
        }
        Variant::Structure(structure) => Value::Struct(all(structure.fields())?),
        Variant::Fd(fd) => Value::Fd(kind(fd)?),
        #[allow(unreachable_patterns)]
        _ => bail!("a value of an unknown kind"),
    })
}

fn kind(fd: &impl AsFd) -> Result<String> {
    let mode = SFlag::from_bits_truncate(fstat(fd)?.st_mode) & SFlag::S_IFMT;
    let kind = [
        (SFlag::S_IFIFO, "fifo"),
        (SFlag::S_IFCHR, "character device"),
        (SFlag::S_IFREG, "file"),
        (SFlag::S_IFSOCK, "socket"),
    ];
    let kind = kind.iter().find(|(bits, _)| *bits == mode).map_or("something", |(_, kind)| kind);
    let flags = OFlag::from_bits_truncate(fcntl(fd, FcntlArg::F_GETFL)?);
    let access = match flags & OFlag::O_ACCMODE {
        OFlag::O_WRONLY => "write",
        OFlag::O_RDWR => "read and write",
        _ => "read",
    };
    let blocking = if flags.contains(OFlag::O_NONBLOCK) { ", non-blocking" } else { "" };
    Ok(format!("{kind}, {access}{blocking}"))
}
