//! What user managers say: their standard output and error go through a FIFO to usherd's log, and the last lines are kept for
//! whoever asks how a manager is.
//!
//! A FIFO with a name, because managers outlive usherd: the next one listens again. Whoever writes has it open for reading,
//! too, so that nobody dies of SIGPIPE while there is no usherd; who has more to say than the FIFO holds waits for one.

use std::collections::{HashMap, VecDeque};
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt, chown};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::fs::{CWD, FileType, Mode, mknodat};
use rustix::pipe::fcntl_setpipe_size;
use tokio::net::unix::pipe::{OpenOptions, Receiver};
use tokio::task::AbortHandle;
use tracing::{debug, info};
use usher_protocol::ids::Uid;

use crate::programs::output::Lines;

/// Only root may look into it.
const DIRECTORY: &str = "/run/usher/managers";
/// Lines that are kept of each user's.
const KEPT: usize = 10;
/// What a FIFO holds while nobody listens.
const FIFO_SIZE: usize = 256 << 10;
/// No manager makes usherd listen to more than this much at once,
const PIECE: usize = 32 << 10;
/// and not again before this, so that who says much in small pieces does not keep usherd awake.
const PAUSE: Duration = Duration::from_millis(50);
/// Of each piece so many lines go to the log; the last ones are kept all the same.
const LOGGED: usize = 50;

/// Removes the name of a FIFO; who has it open may go on.
pub(super) fn remove_leftover(uid: Uid) {
    let _ = fs::remove_file(path(uid));
}

fn path(uid: Uid) -> PathBuf {
    PathBuf::from(DIRECTORY).join(uid.to_string())
}

/// What everybody's managers say.
#[derive(Debug, Clone, Default)]
pub(crate) struct Words(Arc<Mutex<HashMap<Uid, Heard>>>);

/// What one user's say.
#[derive(Debug, Default)]
struct Heard {
    lines: VecDeque<String>,
    listener: Option<AbortHandle>,
}

impl Words {
    /// Makes a new FIFO and listens to it. Returns the end for the manager.
    ///
    /// # Errors
    /// It cannot be made.
    pub(super) fn listen(&self, uid: Uid, gid: u32) -> io::Result<File> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(DIRECTORY)?;
        let path = path(uid);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        mknodat(CWD, &path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0)?;
        // Opening /dev/stderr is what shell scripts do.
        chown(&path, Some(uid.get()), Some(gid))?;
        let manager = File::options().read(true).write(true).open(&path)?;
        // As large as it is by itself is good enough, too.
        let _ = fcntl_setpipe_size(&manager, FIFO_SIZE);
        self.begin(uid, OpenOptions::new().open_receiver(&path)?);
        Ok(manager)
    }

    /// Listens to the manager that an earlier usherd has started.
    pub(super) fn listen_again(&self, uid: Uid) {
        match OpenOptions::new().open_receiver(path(uid)) {
            Ok(receiver) => self.begin(uid, receiver),
            // One from before an upgrade, perhaps.
            Err(error) => debug!(%uid, %error, "cannot listen to the user manager"),
        }
    }

    /// The last lines, oldest first.
    pub(crate) fn last(&self, uid: Uid) -> Vec<String> {
        self.open().get(&uid).map(|heard| heard.lines.iter().cloned().collect()).unwrap_or_default()
    }

    /// Forgets a user.
    pub(super) fn forget(&self, uid: Uid) {
        if let Some(listener) = self.open().remove(&uid).and_then(|heard| heard.listener) {
            listener.abort();
        }
    }

    fn begin(&self, uid: Uid, receiver: Receiver) {
        let listener = tokio::spawn(self.clone().hear(uid, receiver)).abort_handle();
        // What an earlier manager has left may hold its FIFO; nobody listens to that any more.
        if let Some(earlier) = self.open().entry(uid).or_default().listener.replace(listener) {
            earlier.abort();
        }
    }

    async fn hear(self, uid: Uid, receiver: Receiver) {
        let mut lines = Lines::default();
        while let Ok(piece) = next_piece(&receiver).await {
            if piece.is_empty() {
                break;
            }
            let mut count = 0;
            lines.take(&piece, |line| {
                count += 1;
                self.keep(uid, line, count <= LOGGED);
            });
            drop(piece);
            if count > LOGGED {
                info!(%uid, "user manager: ({} lines more than the log has room for)", count - LOGGED);
            }
            tokio::time::sleep(PAUSE).await;
        }
        lines.rest(|line| self.keep(uid, line, true));
    }

    fn keep(&self, uid: Uid, line: String, log: bool) {
        if log {
            info!(%uid, "user manager: {line}");
        }
        if let Some(heard) = self.open().get_mut(&uid) {
            if heard.lines.len() >= KEPT {
                heard.lines.pop_front();
            }
            heard.lines.push_back(line);
        }
    }

    fn open(&self) -> MutexGuard<'_, HashMap<Uid, Heard>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is there to read, as soon as there is something; nothing at the end. There is no memory for it before: managers say little,
/// and there is one a user.
async fn next_piece(receiver: &Receiver) -> io::Result<Vec<u8>> {
    loop {
        receiver.readable().await?;
        let mut piece = Vec::with_capacity(PIECE);
        match receiver.try_read_buf(&mut piece) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            result => return result.map(|_| piece),
        }
    }
}
