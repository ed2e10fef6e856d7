//! Linger flags on their way to the disk: outside the loop, because the disk may be slow, and one after the other, so
//! that the last one asked for is the one that stays.

use tokio::sync::mpsc;
use usher_model::{Account, Event, RequestId};
use usher_protocol::ids::UserName;

use crate::inbox::Broker;
use crate::sys::linger::LingerFlags;

/// A flag to set or clear.
#[derive(Debug)]
pub(crate) struct LingerChange {
    pub(crate) request: RequestId,
    pub(crate) account: Account,
    /// Other names whose flags are cleared, too.
    pub(crate) also: Vec<UserName>,
    pub(crate) linger: bool,
}

/// Where changes queue.
pub(crate) struct LingerWriter {
    // As many as there are requests, and those are bounded by the connections that wait for them.
    queue: mpsc::UnboundedSender<LingerChange>,
}

impl LingerWriter {
    /// Starts the task that writes. Each change is reported as `LingerWritten` when it is on the disk.
    pub(crate) fn start(broker: Broker) -> Self {
        let (queue, mut changes) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            while let Some(LingerChange { request, account, also, linger }) = changes.recv().await {
                let names: Vec<_> = also.iter().chain([&account.name]).cloned().collect();
                let flags = LingerFlags::default();
                let write = move || {
                    names.iter().try_for_each(|name| if linger { flags.set(name) } else { flags.clear(name) })
                };
                let result = match tokio::task::spawn_blocking(write).await {
                    Ok(result) => result.map_err(|error| error.to_string()),
                    Err(error) => Err(error.to_string()),
                };
                broker.report(Event::LingerWritten { request, account, also, linger, result }).await;
            }
        });
        Self { queue }
    }

    pub(crate) fn write(&self, change: LingerChange) {
        // The task ends with the runtime, and so does the loop that calls this.
        let _ = self.queue.send(change);
    }
}
