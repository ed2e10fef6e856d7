//! Who is brought to the foreground, by whom, and what comes of it.

use usher_protocol::ids::SeatId;
use usher_protocol::messages::Refusal;

use super::*;
use crate::event::{Event, SwitchTo};

impl World {
    fn activate(&mut self, authority: Authority, session: &SessionId) -> Result<(), Refusal> {
        let session = session.clone();
        self.ask(|request| Event::Activate { request, authority, session })
    }

    fn switch(&mut self, authority: Authority, to: SwitchTo) -> Result<(), Refusal> {
        self.ask(|request| Event::Switch { request, authority, seat: SeatId::seat0(), to })
    }

    /// Brought to the foreground by root.
    fn switch_to(&mut self, to: SwitchTo) -> Option<SessionId> {
        self.switch(root(), to).unwrap();
        self.settle();
        self.active()
    }

    fn active(&self) -> Option<SessionId> {
        self.model.seats().pop().unwrap().active
    }

    fn position(&self, session: &SessionId) -> u32 {
        self.kernel.session_files[session].position
    }
}

fn is_invalid(result: &Result<(), Refusal>) -> bool {
    matches!(result, Err(Refusal::InvalidParameter { .. }))
}

fn is_not_supported(result: &Result<(), Refusal>) -> bool {
    matches!(result, Err(Refusal::NotSupported { .. }))
}

fn is_denied(result: &Result<(), Refusal>) -> bool {
    matches!(result, Err(Refusal::AccessDenied { .. }))
}

#[test]
fn on_terminals_the_kernel_is_asked_and_decides() {
    let mut world = console();
    let (first, _) = world.login(Login::of(alice()).on_vt(1));
    let (second, _) = world.login(Login::of(bob()).on_vt(3));
    world.take_log();
    world.activate(root(), &first).unwrap();
    assert_eq!(world.take_log(), ["reply done"], "it is there already");
    world.activate(root(), &second).unwrap();
    assert_eq!(world.take_log(), ["activate tty3", "reply done"]);
    assert_eq!(world.active(), Some(first), "the kernel has not said so yet");
    world.settle();
    assert_eq!(world.active(), Some(second));
}

#[test]
fn a_terminal_without_a_session_is_shown_too() {
    let mut world = console();
    world.login(Login::of(alice()).on_vt(1));
    assert_eq!(world.switch_to(SwitchTo::Position(63)), None);
    assert_eq!(world.kernel.foreground.map(|vt| vt.get()), Some(63));
    for number in [0, 64, u32::MAX] {
        assert!(is_invalid(&world.switch(root(), SwitchTo::Position(number))), "{number}");
    }
}

#[test]
fn next_and_previous_go_round() {
    for (mut world, on_vts) in [(console(), true), (container(), false)] {
        let (a, _) = world.login(if on_vts { Login::of(alice()).on_vt(2) } else { at_seat0(alice()) });
        let (b, _) = world.login(if on_vts { Login::of(bob()).on_vt(5) } else { at_seat0(bob()) });
        let (c, leader) = world.login(if on_vts { Login::of(bob()).on_vt(9) } else { at_seat0(bob()) });
        world.activate(root(), &b).unwrap();
        world.settle();
        assert_eq!(world.switch_to(SwitchTo::Next).as_ref(), Some(&c));
        assert_eq!(world.switch_to(SwitchTo::Next).as_ref(), Some(&a));
        assert_eq!(world.switch_to(SwitchTo::Previous).as_ref(), Some(&c));
        assert_eq!(world.switch_to(SwitchTo::Previous).as_ref(), Some(&b));
        // Who is closing has no place any more.
        world.fork(&c, true);
        world.exit(leader);
        world.settle();
        assert_eq!(world.switch_to(SwitchTo::Next).as_ref(), Some(&a));
    }
}

#[test]
fn alone_there_is_no_next() {
    for (mut world, login) in [(console(), Login::of(alice()).on_vt(1)), (container(), at_seat0(alice()))] {
        for to in [SwitchTo::Next, SwitchTo::Previous] {
            assert!(is_invalid(&world.switch(root(), to)), "an empty seat");
        }
        world.login(login);
        for to in [SwitchTo::Next, SwitchTo::Previous] {
            assert!(is_invalid(&world.switch(root(), to)));
        }
    }
}

#[test]
fn without_terminals_the_newest_is_in_front_until_another_is_asked_for() {
    let mut world = container();
    let (first, leader) = world.login(at_seat0(alice()));
    let (second, _) = world.login(at_seat0(bob()));
    assert_eq!((world.position(&first), world.position(&second)), (1, 2));
    assert_eq!(world.active().as_ref(), Some(&second));
    assert_eq!(world.switch_to(SwitchTo::Position(1)).as_ref(), Some(&first));
    assert!(is_invalid(&world.switch(root(), SwitchTo::Position(3))));
    assert_eq!(world.kernel.seat_file.clone().unwrap().active, Some((first.clone(), alice())));
    // Whoever shows the other one again says so.
    world.exit(leader);
    world.settle();
    assert_eq!(world.active(), None);
    let (third, _) = world.login(at_seat0(alice()));
    assert_eq!((world.position(&third), world.position(&second)), (1, 2), "the lowest that is free");
    assert_eq!(world.active(), Some(third));
}

#[test]
fn a_restart_keeps_places_and_foreground() {
    let mut world = container();
    let (first, gone) = world.login(at_seat0(alice()));
    let (second, _) = world.login(at_seat0(bob()));
    let (third, _) = world.login(at_seat0(bob()));
    world.exit(gone);
    world.activate(root(), &second).unwrap();
    world.settle();
    assert_eq!(world.state(&first), None);
    world.crash();
    world.settle();
    assert_eq!((world.position(&second), world.position(&third)), (2, 3));
    assert_eq!(world.active(), Some(second.clone()));
    // One that an older usherd has put on file has no place there.
    world.kernel.session_files.get_mut(&second).unwrap().position = 0;
    world.crash();
    assert_eq!((world.position(&second), world.position(&third)), (1, 3));
}

#[test]
fn who_has_no_place_cannot_be_brought_to_the_front() {
    let mut world = container();
    let (far, _) = world.login(Login::of(alice()));
    assert!(is_not_supported(&world.activate(root(), &far)));
    let (over, leader) = world.login(at_seat0(alice()));
    let (active, _) = world.login(at_seat0(alice()));
    world.fork(&over, true);
    world.exit(leader);
    world.settle();
    assert!(is_not_supported(&world.activate(root(), &over)));
    assert_eq!(world.active(), Some(active));
    let unknown = world.activate(root(), &"99".parse().unwrap());
    assert!(matches!(unknown, Err(Refusal::NoSuchSession { .. })));
    let seat = "seat-usb".parse().unwrap();
    let elsewhere =
        world.ask(|request| Event::Switch { request, authority: root(), seat, to: SwitchTo::Next });
    assert_eq!(elsewhere, Err(Refusal::NoSuchSeat { seat: "seat-usb".to_owned() }));
}

#[test]
fn who_sits_there_may_switch_and_so_may_whom_polkit_permits() {
    let mut world = console();
    let (first, _) = world.login(Login::of(alice()).on_vt(1));
    let (second, leader) = world.login(Login::of(bob()).on_vt(2));
    let (far, _) = world.login(Login::of(uid(1002)));
    let by = Authority::Caller;
    world.activate(by(bob()), &second).unwrap();
    world.activate(by(alice()), &second).unwrap();
    world.switch(by(alice()), SwitchTo::Position(1)).unwrap();
    for stranger in [uid(1002), uid(1003)] {
        assert!(is_denied(&world.activate(by(stranger), &first)));
        assert!(is_denied(&world.switch(by(stranger), SwitchTo::Next)));
    }
    assert!(is_denied(&world.activate(by(uid(1002)), &far)), "before anything is said of the session");
    assert!(is_denied(&world.activate(Authority::Token, &first)));
    world.activate(Authority::Polkit, &first).unwrap();
    // Who is about to leave sits there no more.
    world.fork(&second, true);
    world.exit(leader);
    world.settle();
    assert!(is_denied(&world.switch(by(bob()), SwitchTo::Position(1))));
}

#[test]
fn a_seat_is_ended_with_everybody_on_it() {
    let mut world = console();
    let (first, _) = world.login(Login::of(alice()).on_vt(1));
    let (second, _) = world.login(Login::of(bob()).on_vt(2));
    let (far, _) = world.login(Login::of(alice()));
    let seat = SeatId::seat0;
    let mut end = |authority| world.ask(|request| Event::TerminateSeat { request, authority, seat: seat() });
    assert!(is_denied(&end(Authority::Caller(alice()))), "not even one's own");
    end(Authority::Polkit).unwrap();
    world.settle();
    assert_eq!((world.state(&first), world.state(&second)), (None, None));
    assert_eq!(world.state(&far), Some(SessionState::Active));
    let seat = "seat1".parse().unwrap();
    let unknown = world.ask(|request| Event::TerminateSeat { request, authority: root(), seat });
    assert!(matches!(unknown, Err(Refusal::NoSuchSeat { .. })));
}
