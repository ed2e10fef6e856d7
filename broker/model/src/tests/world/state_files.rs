//! The files in /run, which may be full: then a file is as it was before, or not there, and whoever goes by it after a
//! crash cannot know better.

use std::collections::BTreeMap;

use super::World;
use crate::effect::Effect;
use crate::event::{Event, StateFile};
use crate::timer::Timer;

impl World {
    /// Writes or removes a file. Removing always works.
    pub(super) fn write_file(&mut self, effect: Effect) -> Option<Event> {
        let file = match &effect {
            Effect::ReserveIds { .. } => StateFile::Ids,
            Effect::SaveSession(record) => StateFile::Session(record.id.clone()),
            Effect::RemoveSession(id) => StateFile::Session(id.clone()),
            Effect::SaveUser(record) => StateFile::User(record.uid),
            Effect::RemoveUser(uid) => StateFile::User(*uid),
            Effect::SaveSeat(_) => StateFile::Seat,
            other => panic!("{other:?} is not about a file"),
        };
        let removes = matches!(effect, Effect::RemoveSession(_) | Effect::RemoveUser(_));
        if self.failures.files && !removes {
            self.unsaved.insert(file.clone());
            return Some(Event::NotSaved(file));
        }
        self.unsaved.remove(&file);
        let kernel = &mut self.kernel;
        match effect {
            Effect::ReserveIds { up_to } => kernel.reserved_ids = up_to,
            Effect::SaveSession(record) => drop(kernel.session_files.insert(record.id.clone(), *record)),
            Effect::RemoveSession(id) => drop(kernel.session_files.remove(&id)),
            Effect::SaveUser(record) => drop(kernel.user_files.insert(record.uid, *record)),
            Effect::RemoveUser(uid) => drop(kernel.user_files.remove(&uid)),
            Effect::SaveSeat(record) => kernel.seat_file = Some(*record),
            _ => {}
        }
        None
    }

    /// Whether every file is as the broker wanted it.
    pub(crate) fn all_is_saved(&self) -> bool {
        self.unsaved.is_empty()
    }

    /// Whether a file is as the broker wanted it.
    pub(super) fn is_saved(&self, file: &StateFile) -> bool {
        !self.unsaved.contains(file)
    }

    /// The file of the ids is gone: only the sessions on file say which numbers are taken.
    pub(crate) fn lose_ids(&mut self) {
        self.kernel.reserved_ids = 0;
        self.unsaved.insert(StateFile::Ids);
    }

    /// The broker dies: whatever is not on file as it was is not promised to anybody any more.
    pub(super) fn forget_what_was_not_saved(&mut self) {
        if self.unsaved.is_empty() {
            return;
        }
        // A cgroup or a directory whose file could not be written is nobody's now.
        self.littered |=
            self.unsaved.iter().any(|file| matches!(file, StateFile::User(_) | StateFile::Session(_)));
        let unsaved = std::mem::take(&mut self.unsaved);
        let lost = |file: StateFile| unsaved.contains(&file);
        self.promises.retain(|id, promise| {
            !lost(StateFile::Session(id.clone())) && !lost(StateFile::User(promise.uid))
        });
        if lost(StateFile::Ids) {
            let files = &self.kernel.session_files;
            self.ids_given.retain(|id| files.contains_key(id));
        }
    }

    /// The files say what is; those that could not be written are due again.
    pub(super) fn check_files(&self) {
        let model = &self.model;
        let due = |file: StateFile| model.unsaved.contains(&file);
        let mut files = self.kernel.session_files.clone();
        let mut sessions: BTreeMap<_, _> =
            model.sessions.iter().map(|(id, s)| (id.clone(), model.session_record(s))).collect();
        files.retain(|id, _| !due(StateFile::Session(id.clone())));
        sessions.retain(|id, _| !due(StateFile::Session(id.clone())));
        assert_eq!(files, sessions, "session files");
        let mut files = self.kernel.user_files.clone();
        let mut users: BTreeMap<_, _> =
            model.users.iter().map(|(uid, u)| (*uid, model.user_record(u))).collect();
        files.retain(|uid, _| !due(StateFile::User(*uid)));
        users.retain(|uid, _| !due(StateFile::User(*uid)));
        assert_eq!(files, users, "user files");
        let seat = self.kernel.seat_file.clone().filter(|_| !due(StateFile::Seat));
        assert!(due(StateFile::Seat) || seat == Some(model.seat_record()), "seat file");
        assert!(due(StateFile::Ids) || self.kernel.reserved_ids.max(1) >= model.next_id, "ids");
        assert_eq!(
            model.timers.contains(&Timer::SaveRetry),
            !model.unsaved.is_empty(),
            "{:?}",
            model.unsaved
        );
    }
}
