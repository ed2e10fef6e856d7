//! Waiting for usherd to have put this process on file. An usherd that is killed between starting a manager and noting
//! it would leave one that the next usherd does not know of, and that one would start a second.

use std::fs::File;
use std::io::Read;

use nix::unistd::dup2_stdin;

/// Waits for the one byte. If it does not come, usherd has died, and the next one starts a manager anew: this process ends,
/// without a word, as nobody is there to hear one.
pub(crate) fn wait() {
    let mut byte = [0];
    if std::io::stdin().lock().read_exact(&mut byte).is_err() {
        std::process::exit(1);
    }
    // The manager is to read nothing from there; usherd lets go of its end, too.
    if let Ok(null) = File::open("/dev/null") {
        let _ = dup2_stdin(null);
    }
}
