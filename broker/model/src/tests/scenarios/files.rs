//! Files that cannot be written.

use super::*;
use crate::event::{Event, StateFile};

/// More than it takes until they are tried again.
const A_WHILE: u64 = 3 * SECOND;

impl World {
    /// The broker hears that the last writing of these files did not work.
    fn lose_files(&mut self, session: &SessionId, uid: Uid) {
        self.take_log();
        for file in
            [StateFile::Session(session.clone()), StateFile::User(uid), StateFile::Ids, StateFile::Seat]
        {
            self.send(Event::NotSaved(file));
        }
        assert_eq!(self.take_log(), Vec::<String>::new(), "not at once: that would not end");
    }
}

#[test]
fn what_could_not_be_put_on_file_is_put_there_later() {
    let mut world = World::new(Settings::default());
    let (session, _) = world.login(Login::of(alice()));
    world.lose_files(&session, alice());
    world.wait(A_WHILE);
    let mut written = world.take_log();
    written.sort();
    assert_eq!(written, ["reserve ids", "save seat", "save session 1 active", "save user 1000 active"]);
    world.wait(A_WHILE);
    assert_eq!(world.take_log(), Vec::<String>::new(), "once");
}

#[test]
fn a_session_that_has_gone_meanwhile_is_not_put_on_file() {
    let mut world = World::new(Settings::default());
    let (session, _) = world.login(Login::of(alice()));
    world.lose_files(&session, alice());
    world.logout(&session).unwrap();
    world.take_log();
    world.wait(A_WHILE);
    assert_eq!(world.count("save session"), 0);
    assert!(!world.kernel.session_files.contains_key(&session));
    assert!(world.kernel.user_files.contains_key(&alice()), "the stop delay");
    world.wait(60 * SECOND);
    world.check_nothing_left();
}
