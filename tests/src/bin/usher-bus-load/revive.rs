//! From `kill -9` of a broker until one answers on the bus.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use usher_tests::load::bus::Revived;
use usher_tests::load::processes;
use zbus::Connection;

use crate::ask::{MANAGER, Row};
use crate::{DBUS, LOGIN1, PATIENCE, call, connect, print};

const PAUSE: Duration = Duration::from_micros(200);

/// Kills it, starts another one as soon as it has gone if one is named, and asks who is there.
pub(crate) async fn measure(pid: i32, program: &[String]) -> Result<()> {
    let bus = connect().await?;
    let owner = owner(&bus).await?.context("org.freedesktop.login1 has no owner")?;
    let start = Instant::now();
    processes::kill(pid, PATIENCE)?;
    if let Some((name, arguments)) = program.split_first() {
        let mut command = Command::new(name);
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command.spawn().with_context(|| format!("run {name}"))?;
    }
    loop {
        // Asked only when there is somebody: the bus is not to start one on its own.
        if self::owner(&bus).await?.is_some_and(|now| now != owner)
            && let Ok(answer) = call(&bus, MANAGER, "ListSessions", &()).await
        {
            let serving_ns = u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX);
            let rows: Vec<Row> = answer.body().deserialize().context("understand ListSessions")?;
            return print(&Revived { serving_ns, sessions: rows.len() });
        }
        if start.elapsed() > PATIENCE {
            bail!("nobody answers ListSessions {PATIENCE:?} after kill -9");
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn owner(bus: &Connection) -> Result<Option<String>> {
    let answer = call(bus, (DBUS, "/org/freedesktop/DBus", DBUS), "GetNameOwner", &(LOGIN1,)).await;
    answer.ok().map(|answer| answer.body().deserialize()).transpose().context("understand GetNameOwner")
}
