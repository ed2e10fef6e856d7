//! What sessions, programs and people ask for through the bus, as each step does it.

use usher_protocol::ids::SeatId;
use usher_protocol::session::SessionClass;

use super::{Step, user};
use crate::event::{BusName, Event};
use crate::policy::Authority;
use crate::tests::world::World;

impl World {
    /// Asks for what the step says. Not every one of these is about something that is there.
    pub(super) fn is_asked(&mut self, step: Step) {
        let by = |number| Authority::Caller(user(number));
        let program = |number: u8| BusName(format!(":1.{}", number % 3));
        if let Step::ProgramGone { program: number } = step {
            return self.send(Event::ControllerGone { controller: program(number) });
        }
        let (Step::Release { session }
        | Step::Fifo { session }
        | Step::Activate { session, .. }
        | Step::IdleHint { session, .. }
        | Step::LockedHint { session, .. }
        | Step::Complete { session, .. }
        | Step::TakeControl { session, .. }
        | Step::ReleaseControl { session, .. }
        | Step::SetType { session, .. }
        | Step::SetDisplay { session, .. }
        | Step::SetTty { session, .. }
        | Step::Lock { session: Some(session), .. }) = step
        else {
            let request = self.request();
            let seat = SeatId::seat0();
            return self.send(match step {
                Step::TerminateSeat { by: number } => {
                    Event::TerminateSeat { request, authority: by(number), seat }
                }
                Step::Switch { to, by: number } => Event::Switch { request, authority: by(number), seat, to },
                Step::Lock { session: None, lock, by: number } => {
                    Event::Lock { request, authority: by(number), session: None, lock }
                }
                other => panic!("{other:?} is nothing to ask for"),
            });
        };
        let Some(session) = super::happen::pick(&self.session_ids(), session).cloned() else { return };
        let request = self.request();
        self.send(match step {
            Step::Release { .. } => Event::ReleaseSession { request, session },
            Step::Fifo { .. } => Event::AttachFifo { request, session },
            Step::Activate { by: number, .. } => Event::Activate { request, authority: by(number), session },
            Step::IdleHint { idle, by: number, .. } => {
                Event::SetIdleHint { request, authority: by(number), session, idle }
            }
            Step::LockedHint { locked, by: number, .. } => {
                Event::SetLockedHint { request, authority: by(number), session, locked }
            }
            Step::Complete { by: number, .. } => {
                let class = SessionClass::User;
                Event::SetClass { request, authority: by(number), session, class }
            }
            Step::TakeControl { program: name, force, by: number, .. } => {
                let controller = program(name);
                Event::TakeControl { request, authority: by(number), session, controller, force }
            }
            Step::ReleaseControl { program: name, .. } => {
                Event::ReleaseControl { request, session, controller: program(name) }
            }
            Step::SetType { program: name, kind, .. } => {
                Event::SetType { request, session, controller: program(name), kind }
            }
            Step::SetDisplay { program: name, number, .. } => {
                let display = format!(":{}", number % 3);
                Event::SetDisplay { request, session, controller: program(name), display }
            }
            Step::SetTty { program: name, number, .. } => {
                let tty = format!("pts/{}", number % 3);
                Event::SetTty { request, session, controller: program(name), tty }
            }
            Step::Lock { lock, by: number, .. } => {
                Event::Lock { request, authority: by(number), session: Some(session), lock }
            }
            other => panic!("{other:?} is not about a session"),
        });
    }
}
