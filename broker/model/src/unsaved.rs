//! What could not be put on file, because /run is full for instance: it is tried again until it works. A broker that dies
//! before that forgets it, so that is the only thing to be done about it.

use crate::effect::Effect;
use crate::event::{Now, StateFile};
use crate::model::{Model, Out};
use crate::settings::SECOND;
use crate::timer::Timer;

/// How soon it is tried again.
const RETRY: u64 = 2 * SECOND;

impl Model {
    /// A file is not as it should be.
    pub(crate) fn not_saved(&mut self, now: Now, file: StateFile) {
        if self.unsaved.is_empty() {
            self.timers.set(Timer::SaveRetry, now, RETRY);
        }
        self.unsaved.insert(file);
    }

    /// Those files are due again, as things are now.
    pub(crate) fn save_again(&mut self, out: &mut Out) {
        for file in std::mem::take(&mut self.unsaved) {
            match file {
                StateFile::Ids => out.first(Effect::ReserveIds { up_to: self.reserved_ids }),
                StateFile::User(uid) => drop(self.dirty_users.insert(uid)),
                StateFile::Session(id) => drop(self.dirty_sessions.insert(id)),
                StateFile::Seat => self.dirty_seat = true,
            }
        }
    }
}
