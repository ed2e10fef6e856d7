//! What scenarios are written with: clients, calls, and the transcript on standard output.

use std::fs;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::agent::{LIMIT, LOGIN1};
use crate::client::Client;
use crate::normal::Normal;
use crate::render;
use crate::wire::{Answer, Arg, Call, Event, Request, Value};

pub(crate) const MANAGER: &str = "/org/freedesktop/login1";
pub(crate) const SEAT0: &str = "/org/freedesktop/login1/seat/seat0";
pub(crate) const PROPERTIES: &str = "org.freedesktop.DBus.Properties";
pub(crate) const ALICE: u32 = 1001;
pub(crate) const BOB: u32 = 1002;
/// For what happens at once, if it happens at all; also where much else is to do.
const SOON: Duration = Duration::from_secs(8);
/// Values of state files that name sessions.
const SESSIONS: [&str; 3] = ["DISPLAY", "SCOPE", "FIFO"];
/// An account that nobody has.
pub(crate) const NOBODY: u32 = 54321;

#[derive(Debug, Default)]
pub(crate) struct World {
    normal: Normal,
}

/// A session as its creator knows it.
#[derive(Debug, Clone)]
pub(crate) struct Session {
    pub(crate) id: String,
    pub(crate) path: String,
    /// What the creator holds its descriptor as.
    pub(crate) fd: String,
}

impl World {
    /// A heading in the transcript.
    pub(crate) fn section(&self, title: &str) {
        println!("\n== {title}");
    }

    /// Something observed otherwise than over the bus.
    pub(crate) fn note(&self, text: &str) {
        println!("  # {text}");
    }

    /// A new client with a bus connection of its own.
    pub(crate) fn client(&mut self, name: &str, uid: u32) -> Result<Client> {
        let client = Client::start(name, uid)?;
        self.normal.process(client.pid(), name);
        Ok(client)
    }

    /// A client that is root and receives all signals.
    pub(crate) fn root(&mut self) -> Result<Client> {
        let mut root = self.client("root", 0)?;
        root.ask(&Request::Subscribe)?;
        Ok(root)
    }

    /// Calls a method, and writes the call, and what arrived until its reply.
    pub(crate) fn call(
        &mut self,
        who: &mut Client,
        path: &str,
        method: &str,
        args: &[Arg],
    ) -> Result<Vec<Value>> {
        self.call_holding(who, path, method, args, None)
    }

    /// The same; the client holds the reply's descriptors under that name.
    pub(crate) fn call_holding(
        &mut self,
        who: &mut Client,
        path: &str,
        method: &str,
        args: &[Arg],
        hold: Option<&str>,
    ) -> Result<Vec<Value>> {
        let (interface, member) = method.rsplit_once('.').context("a method without an interface")?;
        let interface =
            if interface.contains('.') { interface.to_owned() } else { format!("{LOGIN1}.{interface}") };
        let call = Call {
            path: path.to_owned(),
            interface,
            member: member.to_owned(),
            args: args.to_vec(),
            hold: hold.map(str::to_owned),
        };
        println!("{}", render::call(&self.normal, &who.name, &call));
        let answer = who.ask(&Request::Call(call.clone()))?;
        let events = self.write(Some(&call), answer)?;
        Ok(events.into_iter().find_map(replied).unwrap_or_default())
    }

    /// A method of the manager.
    pub(crate) fn manager(&mut self, who: &mut Client, method: &str, args: &[Arg]) -> Result<Vec<Value>> {
        self.call(who, MANAGER, &format!("Manager.{method}"), args)
    }

    /// A method of a session.
    pub(crate) fn session(
        &mut self,
        who: &mut Client,
        session: &Session,
        method: &str,
        args: &[Arg],
    ) -> Result<Vec<Value>> {
        self.call(who, &session.path, &format!("Session.{method}"), args)
    }

    /// One property.
    pub(crate) fn get(&mut self, who: &mut Client, path: &str, interface: &str, name: &str) -> Result<()> {
        let args = [s(&format!("{LOGIN1}.{interface}")), s(name)];
        self.call(who, path, &format!("{PROPERTIES}.Get"), &args).map(drop)
    }

    /// All properties.
    pub(crate) fn get_all(&mut self, who: &mut Client, path: &str, interface: &str) -> Result<()> {
        let args = [s(&format!("{LOGIN1}.{interface}"))];
        self.call(who, path, &format!("{PROPERTIES}.GetAll"), &args).map(drop)
    }

    /// Waits for a signal such as `Manager.SessionRemoved`, and writes what arrived until then.
    pub(crate) fn wait(&mut self, who: &mut Client, signal: &str) -> Result<()> {
        let (interface, member) = signal.rsplit_once('.').context("a signal without an interface")?;
        let (interface, about) = match member {
            "PropertiesChanged" => (PROPERTIES.to_owned(), Some(format!("{LOGIN1}.{interface}"))),
            _ => (format!("{LOGIN1}.{interface}"), None),
        };
        let answer = who.ask(&Request::Wait { interface, member: member.to_owned(), about })?;
        self.write(None, answer).map(drop)
    }

    /// Waits until a session is in that state, which no signal tells, and writes what arrived meanwhile.
    pub(crate) fn wait_state(&mut self, who: &mut Client, session: &Session, state: &str) -> Result<()> {
        self.wait_get(who, &session.path, "Session", "State", state)
    }

    /// Waits until a property has that value, and writes what arrived meanwhile.
    pub(crate) fn wait_get(
        &mut self,
        who: &mut Client,
        path: &str,
        interface: &str,
        name: &str,
        value: &str,
    ) -> Result<()> {
        let call = Call {
            path: path.to_owned(),
            interface: PROPERTIES.to_owned(),
            member: "Get".to_owned(),
            args: vec![s(&format!("{LOGIN1}.{interface}")), s(name)],
            hold: None,
        };
        let deadline = Instant::now() + LIMIT;
        loop {
            let Answer::Events(mut events) = who.ask(&Request::Call(call.clone()))? else {
                bail!("no answer about {name}");
            };
            let last = events.pop();
            self.write(None, Answer::Events(events))?;
            match last {
                Some(Event::Reply { values, .. }) if reads(&values, value) => {
                    self.note(&format!("{name} becomes {value}"));
                    return Ok(());
                }
                last if Instant::now() >= deadline => {
                    self.note(&format!("{name} does not become {value}: {last:?}"));
                    return Ok(());
                }
                _ => std::thread::sleep(Duration::from_millis(5)),
            }
        }
    }

    /// Writes the signals that have been sent by now: a ping that is answered comes after them.
    pub(crate) fn settle(&mut self, who: &mut Client) -> Result<()> {
        let ping = Call {
            path: MANAGER.to_owned(),
            interface: "org.freedesktop.DBus.Peer".to_owned(),
            member: "Ping".to_owned(),
            args: Vec::new(),
            hold: None,
        };
        let answer = match who.ask(&Request::Call(ping))? {
            Answer::Events(mut events) => {
                events.pop();
                Answer::Events(events)
            }
            other => other,
        };
        self.write(None, answer).map(drop)
    }

    /// Opens a session with CreateSessionWithPIDFD; the caller holds its descriptor.
    pub(crate) fn create(&mut self, who: &mut Client, login: &Login<'_>) -> Result<Session> {
        let fd = format!("fd of {}", login.leader);
        let values = self.call_holding(
            who,
            MANAGER,
            "Manager.CreateSessionWithPIDFD",
            &login.args(),
            Some(fd.as_str()),
        )?;
        match values.as_slice() {
            [Value::Text(id), Value::Path(path), ..] => {
                Ok(Session { id: id.clone(), path: path.clone(), fd })
            }
            _ => bail!("no session"),
        }
    }

    /// Closes what a client holds.
    pub(crate) fn close(&mut self, who: &mut Client, held: &str) -> Result<()> {
        println!("{} closes {held}", who.name);
        self.close_quietly(who, held)
    }

    /// The same without a word in the transcript.
    pub(crate) fn close_quietly(&mut self, who: &mut Client, held: &str) -> Result<()> {
        who.ask(&Request::Close(held.to_owned())).map(drop)
    }

    /// Lets a client end.
    pub(crate) fn end(&mut self, who: &mut Client) -> Result<()> {
        println!("{} ends", who.name);
        who.end().map(drop)
    }

    /// Opens a pseudo terminal in a client; its name without `/dev/`.
    pub(crate) fn terminal(&mut self, who: &mut Client, name: &str) -> Result<String> {
        match who.ask(&Request::Terminal(name.to_owned()))? {
            Answer::Terminal(path) => Ok(path.trim_start_matches('/').to_owned()),
            other => bail!("no terminal but {other:?}"),
        }
    }

    /// Puts a client into a cgroup.
    pub(crate) fn place(&self, who: &Client, cgroup: &str) -> Result<()> {
        println!("{} moves to {cgroup}", who.name);
        self.write_procs(who, cgroup)
    }

    /// Puts a client into a session's cgroup.
    pub(crate) fn place_in(&self, who: &Client, uid: u32, session: &Session) -> Result<()> {
        println!("{} moves to session {}", who.name, self.normal.text(&session.id));
        self.write_procs(who, &format!("/user.slice/user-{uid}.slice/session-{}.scope", session.id))
    }

    fn write_procs(&self, who: &Client, cgroup: &str) -> Result<()> {
        let path = format!("/sys/fs/cgroup{cgroup}/cgroup.procs");
        fs::write(&path, who.pid().to_string()).with_context(|| format!("write {path}"))
    }

    /// Writes whether a session goes soon. That one stays is known after some seconds only.
    pub(crate) fn whether_goes(&self, session: &Session) {
        let file = format!("/run/systemd/sessions/{}", session.id);
        let deadline = Instant::now() + SOON;
        while Instant::now() < deadline {
            if fs::metadata(&file).is_err() {
                return self.note("the session goes");
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        self.note("the session stays");
    }

    /// Writes some assignments of a state file.
    pub(crate) fn file(&self, path: &str, shown: &str, keys: &[&str]) {
        let Ok(text) = fs::read_to_string(path) else { return self.note(&format!("no file {shown}")) };
        let mut line = format!("{shown}:");
        for key in keys {
            let value = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
            // A session's id may look like any number.
            let named = SESSIONS.contains(key) || *key == "ACTIVE" && path.contains("/seats/");
            let value = match value {
                Some(value) if named || value.starts_with(':') => self.normal.text(value),
                Some(value) => value.to_owned(),
                None => "-".to_owned(),
            };
            line.push_str(&format!(" {key}={}", self.normal.number(Some(key), &value)));
        }
        self.note(&line);
    }

    fn write(&mut self, call: Option<&Call>, answer: Answer) -> Result<Vec<Event>> {
        let (events, late) = match answer {
            Answer::Events(events) => (events, false),
            Answer::Late(events) => (events, true),
            other => bail!("an agent said {other:?}"),
        };
        for event in &events {
            self.normal.learn(event);
        }
        for line in render::events(&self.normal, call, &events) {
            println!("{line}");
        }
        if late {
            println!("  (nothing more within the deadline)");
        }
        Ok(events)
    }
}

fn replied(event: Event) -> Option<Vec<Value>> {
    match event {
        Event::Reply { values, .. } => Some(values),
        Event::Error { .. } | Event::Signal { .. } => None,
    }
}

fn reads(values: &[Value], text: &str) -> bool {
    matches!(values, [Value::Variant(_, value)] if matches!(&**value, Value::Text(seen) if seen == text))
}

/// What CreateSessionWithPIDFD is told; an ordinary login that differs in what a scenario is about.
#[derive(Debug, Clone)]
pub(crate) struct Login<'a> {
    pub(crate) uid: u32,
    pub(crate) pid: i32,
    /// Name of the leader.
    pub(crate) leader: String,
    pub(crate) kind: &'a str,
    pub(crate) class: &'a str,
    pub(crate) desktop: &'a str,
    pub(crate) seat: &'a str,
    pub(crate) vtnr: u32,
    pub(crate) tty: &'a str,
    pub(crate) display: &'a str,
    pub(crate) remote: bool,
    pub(crate) remote_user: &'a str,
    pub(crate) remote_host: &'a str,
    pub(crate) flags: u64,
}

impl Login<'_> {
    pub(crate) fn of(uid: u32, leader: &Client) -> Self {
        Self {
            uid,
            pid: leader.pid(),
            leader: leader.name.clone(),
            kind: "",
            class: "",
            desktop: "",
            seat: "",
            vtnr: 0,
            tty: "",
            display: "",
            remote: false,
            remote_user: "",
            remote_host: "",
            flags: 0,
        }
    }

    /// Arguments of CreateSessionWithPIDFD.
    pub(crate) fn args(&self) -> Vec<Arg> {
        let mut args = vec![Arg::U(self.uid), Arg::PidFd(self.pid)];
        args.extend(self.middle());
        args.extend([Arg::T(self.flags), Arg::Properties(Vec::new())]);
        args
    }

    /// Arguments of CreateSession.
    pub(crate) fn old_args(&self) -> Vec<Arg> {
        let mut args = vec![Arg::U(self.uid), Arg::Pid(self.pid)];
        args.extend(self.middle());
        args.push(Arg::Properties(Vec::new()));
        args
    }

    fn middle(&self) -> Vec<Arg> {
        vec![
            // Whose word about a seat is taken: usherd wants a display manager (DisplayManagers=).
            s("greetd"),
            s(self.kind),
            s(self.class),
            s(self.desktop),
            s(self.seat),
            Arg::U(self.vtnr),
            s(self.tty),
            s(self.display),
            Arg::B(self.remote),
            s(self.remote_user),
            s(self.remote_host),
        ]
    }
}

/// A string argument.
pub(crate) fn s(text: &str) -> Arg {
    Arg::S(text.to_owned())
}
