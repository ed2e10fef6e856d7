//! From `kill -9` of a broker until one answers on the bus.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use usher_tests::load::bus::Revived;
use zbus::Connection;

use crate::ask::{MANAGER, Row};
use crate::{DBUS, LOGIN1, PATIENCE, call, connect, print};

const PAUSE: Duration = Duration::from_micros(200);

/// Kills it, starts another one as soon as it has gone if one is named, and asks who is there.
pub(crate) async fn measure(pid: i32, program: &[String]) -> Result<()> {
    let bus = connect().await?;
    let owner = owner(&bus).await?.context("org.freedesktop.login1 has no owner")?;
    let start = Instant::now();
    kill(Pid::from_raw(pid), Signal::SIGKILL).with_context(|| format!("kill process {pid}"))?;
    if let Some((name, arguments)) = program.split_first() {
        while is_alive(pid) {
            ensure!(start.elapsed() < PATIENCE, "process {pid} does not go");
            tokio::time::sleep(PAUSE).await;
        }
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

/// A zombie serves nobody.
fn is_alive(pid: i32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(')').is_some_and(|(_, rest)| !rest.trim_start().starts_with(['Z', 'X']))
}
