//! What calls take.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde::Serialize;
use usher_tests::load::bus::Answers;
use zbus::{Connection, DynamicType, Message, OwnedObjectPath};

use crate::{LOGIN1, MANAGER_PATH, call, connect, print};

const PROPERTIES: &str = "org.freedesktop.DBus.Properties";
pub(crate) const MANAGER: (&str, &str, &str) = (LOGIN1, MANAGER_PATH, "org.freedesktop.login1.Manager");
const MANAGER_PROPERTIES: (&str, &str, &str) = (LOGIN1, MANAGER_PATH, PROPERTIES);
const PEER: (&str, &str, &str) = (LOGIN1, MANAGER_PATH, "org.freedesktop.DBus.Peer");

/// One session in ListSessions' answer.
pub(crate) type Row = (String, u32, String, String, OwnedObjectPath);

/// So many rounds, in each of which every method is called once. A first one is not counted: with it the bus and the broker
/// learn who this is.
pub(crate) async fn measure(count: usize) -> Result<()> {
    let bus = connect().await?;
    let mut asker = Asker { bus, answers: Answers::default() };
    asker.round().await?;
    asker.answers = Answers::default();
    for _ in 0..count {
        asker.round().await?;
    }
    print(&asker.answers)
}

/// The same of ListSessions alone.
pub(crate) async fn list(count: usize) -> Result<()> {
    let bus = connect().await?;
    let mut asker = Asker { bus, answers: Answers::default() };
    asker.list().await?;
    asker.answers = Answers::default();
    for _ in 0..count {
        asker.list().await?;
    }
    print(&asker.answers)
}

struct Asker {
    bus: Connection,
    answers: Answers,
}

impl Asker {
    async fn round(&mut self) -> Result<()> {
        self.ask("Ping", PEER, "Ping", &()).await?;
        self.ask("ListUsers", MANAGER, "ListUsers", &()).await?;
        self.ask("ListSessionsEx", MANAGER, "ListSessionsEx", &()).await?;
        let all = ("org.freedesktop.login1.Manager",);
        self.ask("GetAll of the manager", MANAGER_PROPERTIES, "GetAll", &all).await?;
        let rows = self.list().await?;
        let Some((id, uid, .., listed)) = rows.last() else { return Ok(()) };
        // Two calls, one after the other, as clients make them.
        let (answer, first) = self.timed(MANAGER, "GetSession", &(id,)).await?;
        let path: OwnedObjectPath = answer.body().deserialize().context("understand GetSession")?;
        ensure!(path == *listed, "GetSession says {path} where ListSessions says {listed}");
        let session = (LOGIN1, path.as_str(), PROPERTIES);
        let (_, second) = self.timed(session, "GetAll", &("org.freedesktop.login1.Session",)).await?;
        self.add("GetSession, GetAll", first + second);
        let user = format!("/org/freedesktop/login1/user/_{uid}");
        self.ask(
            "GetAll of its user",
            (LOGIN1, &user, PROPERTIES),
            "GetAll",
            &("org.freedesktop.login1.User",),
        )
        .await?;
        Ok(())
    }

    async fn list(&mut self) -> Result<Vec<Row>> {
        let answer = self.ask("ListSessions", MANAGER, "ListSessions", &()).await?;
        let rows: Vec<Row> = answer.body().deserialize().context("understand ListSessions")?;
        self.answers.sessions = rows.len();
        Ok(rows)
    }

    async fn ask<B: Serialize + DynamicType>(
        &mut self,
        name: &str,
        whom: (&str, &str, &str),
        method: &str,
        arguments: &B,
    ) -> Result<Message> {
        let (answer, took) = self.timed(whom, method, arguments).await?;
        self.add(name, took);
        Ok(answer)
    }

    /// Until the answer is here; reading it is the client's own affair.
    async fn timed<B: Serialize + DynamicType>(
        &self,
        whom: (&str, &str, &str),
        method: &str,
        arguments: &B,
    ) -> Result<(Message, Duration)> {
        let start = Instant::now();
        let answer = call(&self.bus, whom, method, arguments).await?;
        Ok((answer, start.elapsed()))
    }

    fn add(&mut self, name: &str, took: Duration) {
        let nanos = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        self.answers.times_ns.entry(name.to_owned()).or_default().push(nanos);
    }
}
