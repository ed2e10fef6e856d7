//! The PAM module, which every program loads that logs people in: how large it is and what it brings along.

use std::process::Command;

use serde::{Deserialize, Serialize};

use crate::cargo;

/// The module as it was built for release.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Module {
    pub(crate) bytes: u64,
    /// The libraries that it needs by itself (DT_NEEDED).
    pub(crate) libraries: Vec<String>,
}

/// What it may need: everybody who loads it has them already.
const EXPECTED: [&str; 3] = ["libpam.so.0", "libc.so.6", "libgcc_s.so.1"];

impl Module {
    /// Nothing if it is not there, or readelf (package binutils, which comes with gcc) is not.
    pub(super) fn measure() -> Option<Self> {
        let file = cargo::target_dir().ok()?.join("release/libpam_usher.so");
        let bytes = file.metadata().ok()?.len();
        let output = Command::new("readelf").arg("-dW").arg(&file).env("LC_ALL", "C").output().ok()?;
        let text = String::from_utf8(output.stdout).ok()?;
        let needed = text.lines().filter(|line| line.contains("(NEEDED)"));
        let libraries =
            needed.filter_map(|line| Some(line.split_once('[')?.1.trim_end_matches(']').to_owned()));
        output.status.success().then(|| Self { bytes, libraries: libraries.collect() })
    }

    /// Those that it is not to need.
    pub(crate) fn surplus(&self) -> impl Iterator<Item = &String> {
        self.libraries
            .iter()
            .filter(|name| !EXPECTED.contains(&name.as_str()) && !name.starts_with("ld-linux"))
    }
}
