//! Who sits at the machine: the kernel's word, not the request's.

use usher_protocol::messages::Refusal;
use usher_protocol::session::SessionClass;

use super::*;
use crate::event::Event;

fn seat_of(world: &World, session: &SessionId) -> (Option<String>, Option<u32>) {
    let view = world.model.session(session).unwrap();
    (view.seat.map(|seat| seat.as_str().to_owned()), view.vtnr.map(|vt| vt.get()))
}

fn switch_to(world: &mut World, vt: u32) {
    world.kernel.foreground = vt.try_into().ok();
    world.send(Event::VtChanged { foreground: vt.try_into().ok() });
}

fn nowhere() -> (Option<String>, Option<u32>) {
    (None, None)
}

fn on_seat0(vt: u32) -> (Option<String>, Option<u32>) {
    (Some("seat0".to_owned()), Some(vt))
}

#[test]
fn a_terminal_counts_when_the_kernel_agrees() {
    let mut world = console();
    let (seated, _) = world.login(Login::of(alice()).on_vt(1));
    assert_eq!(seat_of(&world, &seated), on_seat0(1));
    let (liar, _) = world.login(Login::of(bob()).claims_vt(2));
    assert_eq!(seat_of(&world, &liar), nowhere(), "CVE-2025-6018");
    let mut login = Login::of(bob()).on_vt(3);
    login.open.console = 2.try_into().ok();
    let (mistaken, _) = world.login(login);
    assert_eq!(seat_of(&world, &mistaken), nowhere());
}

#[test]
fn nobody_sits_here_from_afar() {
    let mut world = console();
    for far in [
        |login: &mut Login| login.open.params.remote = true,
        |login: &mut Login| login.open.params.remote_host = "192.0.2.1".to_owned(),
    ] {
        let mut login = Login::of(alice()).service("gdm").on_vt(1);
        far(&mut login);
        let (session, _) = world.login(login);
        assert_eq!(seat_of(&world, &session), nowhere());
    }
}

#[test]
fn a_display_manager_is_trusted() {
    let mut world = console();
    let (session, _) = world.login(Login::of(alice()).service("gdm").claims_vt(2));
    assert_eq!(seat_of(&world, &session), on_seat0(2));
    let mut elsewhere = Login::of(bob()).service("gdm").claims_vt(3);
    elsewhere.open.params.seat = "seat-usb".parse().ok();
    let (session, _) = world.login(elsewhere);
    assert_eq!(seat_of(&world, &session), nowhere());
}

#[test]
fn one_session_a_terminal_but_greeters_share() {
    let mut world = console();
    let greeter = || Login::of(uid(110)).service("gdm").class(SessionClass::Greeter).claims_vt(1);
    let (_, screen) = world.login(greeter());
    let (first, leader) = world.login(Login::of(alice()).on_vt(1));
    world.take_log();
    let second = world.open(Login::of(bob()).on_vt(1));
    assert!(matches!(world.refusal(second.request), Refusal::SessionBusy { .. }));
    assert_eq!(world.take_log().len(), 1, "nothing but the answer");
    world.login(greeter());
    // What the first session leaves behind does not occupy the terminal.
    world.fork(&first, false);
    world.exit(leader);
    world.settle();
    world.login(Login::of(bob()).on_vt(1));
    world.exit(screen);
    world.settle();
}

#[test]
fn a_login_on_the_terminal_of_a_greeter_puts_it_into_the_background_on_file_too() {
    let mut world = console();
    let (greeter, _) =
        world.login(Login::of(uid(110)).service("gdm").class(SessionClass::Greeter).claims_vt(1));
    assert!(world.kernel.session_files[&greeter].active);
    let (session, leader) = world.login(Login::of(alice()).on_vt(1));
    let active = |world: &World, id: &SessionId| world.kernel.session_files[id].active;
    assert!(active(&world, &session) && !active(&world, &greeter));
    assert_eq!(world.user_state(uid(110)), UserState::Online);
    world.exit(leader);
    world.settle();
    assert!(active(&world, &greeter));
}

#[test]
fn switching_terminals_switches_the_active_session() {
    let mut world = console();
    let (one, _) = world.login(Login::of(alice()).on_vt(1));
    let (two, _) = world.login(Login::of(bob()).on_vt(2));
    let states = |world: &World| (world.state(&one), world.state(&two));
    let (active, online) = (Some(SessionState::Active), Some(SessionState::Online));
    assert_eq!(states(&world), (active, online));
    switch_to(&mut world, 2);
    assert_eq!(states(&world), (online, active));
    assert_eq!(world.user_state(alice()), UserState::Online);
    let seat = world.kernel.seat_file.clone().unwrap();
    assert_eq!(seat.active, Some((two.clone(), bob())));
    switch_to(&mut world, 5);
    assert_eq!(states(&world), (online, online));
    world.take_log();
    switch_to(&mut world, 5);
    assert_eq!(world.take_log(), [""; 0]);
}

#[test]
fn a_session_without_a_seat_is_always_active() {
    let mut world = console();
    let (session, _) = world.login(Login::of(alice()));
    switch_to(&mut world, 5);
    assert_eq!(world.state(&session), Some(SessionState::Active));
}
