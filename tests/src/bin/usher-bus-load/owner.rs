//! Waiting for the name's owner.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use usher_tests::load::bus::Owned;

use crate::{DBUS, LOGIN1, PATIENCE, call, connect, print};

const PAUSE: Duration = Duration::from_millis(1);

/// Comes back as soon as login1 has an owner. Asks the bus, which starts nobody for that.
pub(crate) async fn wait() -> Result<()> {
    let start = Instant::now();
    while !is_owned().await.unwrap_or(false) {
        if start.elapsed() > PATIENCE {
            bail!("{LOGIN1} has had no owner for {PATIENCE:?}");
        }
        tokio::time::sleep(PAUSE).await;
    }
    print(&Owned { owned: true })
}

async fn is_owned() -> Result<bool> {
    let bus = connect().await?;
    let answer = call(&bus, (DBUS, "/org/freedesktop/DBus", DBUS), "NameHasOwner", &(LOGIN1,)).await?;
    Ok(answer.body().deserialize()?)
}
