//! How usherd stands to its names on the bus, for whoever asks. What the bus said when it was asked for a name is kept; who has
//! the name now is asked for anew.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::timeout;
use usher_protocol::messages::{BusNameState, BusNameView};
use zbus::Connection;

use super::{address, bus};

/// How long the bus may take to say who has a name.
const PATIENCE: Duration = Duration::from_secs(1);

/// The names that usherd has asked the bus for, as long as the connections last.
#[derive(Debug, Clone, Default)]
pub(crate) struct Standing(Arc<Mutex<BTreeMap<&'static str, Asked>>>);

#[derive(Debug, Clone)]
struct Asked {
    bus: Connection,
    /// Why the bus does not give it.
    refused: Option<String>,
}

impl Standing {
    /// Where the bus is, or would be.
    pub(crate) fn socket() -> PathBuf {
        address::socket()
    }

    /// The name is being asked for.
    pub(super) fn asks(&self, name: &'static str, bus: &Connection) {
        self.names().insert(name, Asked { bus: bus.clone(), refused: None });
    }

    /// The bus has refused it.
    pub(super) fn refused(&self, name: &str, error: &zbus::Error) {
        if let Some(asked) = self.names().get_mut(name) {
            asked.refused = Some(error.to_string());
        }
    }

    /// The connection has ended.
    pub(super) fn forget(&self, name: &str) {
        self.names().remove(name);
    }

    /// All of it, as it is now.
    pub(crate) async fn look(&self) -> Vec<BusNameView> {
        let asked: Vec<_> = self.names().iter().map(|(name, asked)| (*name, asked.clone())).collect();
        let mut views = Vec::new();
        for (name, Asked { bus, refused }) in asked {
            let (state, detail) = match refused {
                Some(why) => (BusNameState::Refused, why),
                None => match timeout(PATIENCE, of(&bus, name)).await {
                    Ok(standing) => standing,
                    Err(_) => (BusNameState::Unknown, "the bus does not answer".to_owned()),
                },
            };
            views.push(BusNameView { name: name.to_owned(), state, detail });
        }
        views
    }

    fn names(&self) -> MutexGuard<'_, BTreeMap<&'static str, Asked>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn of(bus: &Connection, name: &str) -> (BusNameState, String) {
    match bus::owner(bus, name).await {
        Ok(owner) if bus.unique_name() == Some(&owner) => (BusNameState::Owned, String::new()),
        Ok(owner) => {
            let holder = bus::process(bus, &owner).await;
            (BusNameState::Waiting, holder.unwrap_or_else(|| format!("somebody ({owner})")))
        }
        Err(error) => (BusNameState::Unknown, error.to_string()),
    }
}
