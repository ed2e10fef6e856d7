//! Changes of the mount table, told by the kernel: /proc/PID/mountinfo has something of priority after each (proc(5)).

use std::fs::File;
use std::io;

use super::super::{Context, Readiness, Result};

const TABLE: &str = "/proc/self/mountinfo";

/// Waits for the next change.
#[derive(Debug)]
pub struct TableWatch {
    changed: Readiness,
}

impl TableWatch {
    /// Begins to watch. To be called inside a tokio runtime.
    ///
    /// # Errors
    /// Out of descriptors, or no /proc.
    pub fn begin() -> Result<Self> {
        let table = File::open(TABLE).context("open", TABLE)?;
        Ok(Self { changed: Readiness::of_priority(&table).context("watch", TABLE)? })
    }

    /// Returns when something was mounted or unmounted since.
    ///
    /// # Errors
    /// The runtime is being shut down.
    pub async fn changed(&self) -> io::Result<()> {
        self.changed.wait().await
    }
}
