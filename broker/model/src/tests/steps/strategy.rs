//! Random steps. The likely ones are those that people take.

use proptest::prelude::*;

use super::{Conf, KillWhom, Machine, SessionClass, SessionType, Step, SwitchTo, Temper};
use crate::settings::SECOND;
use crate::tests::world::Failures;

/// Any step.
pub(crate) fn step() -> impl Strategy<Value = Step> {
    prop_oneof![10 => step_of_a_life(), 1 => crash()]
}

/// Any in which the broker does not die.
pub(crate) fn step_of_a_life() -> impl Strategy<Value = Step> {
    prop_oneof![37 => people(), 18 => administrator(), 24 => bus(), 8 => trouble(), 16 => time()]
}

/// Steps of one user's logins and logouts, in any order, with everything that is under way between them.
pub(crate) fn racing() -> impl Strategy<Value = Step> {
    let open = |class| {
        any::<bool>().prop_map(move |more| Step::Open { user: 1, other_name: false, class, vt: None, more })
    };
    prop_oneof![
        6 => open(SessionClass::User),
        1 => open(SessionClass::BackgroundLight),
        1 => open(SessionClass::Manager),
        1 => (any::<u8>(), any::<bool>()).prop_map(|(process, retry)| Step::OpenBy { process, user: 1, retry }),
        5 => any::<u8>().prop_map(|session| Step::Close { session, by: 0 }),
        3 => any::<u8>().prop_map(|process| Step::Exit { process }),
        8 => any::<[u8; 3]>().prop_map(|choices| Step::Go { choices }),
        2 => Just(Step::Deadline),
        1 => Just(Step::Settle),
        1 => tempers(),
    ]
}

/// Any machine; most have all there is.
pub(crate) fn machine(delayed: impl Strategy<Value = bool>) -> impl Strategy<Value = Machine> {
    let usually = || prop::bool::weighted(0.9);
    (delayed, any::<bool>(), usually(), usually(), usually()).prop_map(
        |(delayed, lingering, cgroups, managers, vts)| Machine { delayed, lingering, cgroups, managers, vts },
    )
}

fn user() -> impl Strategy<Value = u8> {
    prop_oneof![12 => Just(1_u8), 4 => Just(2), 2 => Just(0), 1 => Just(3), 1 => Just(4)]
}

fn other_name() -> impl Strategy<Value = bool> {
    prop::bool::weighted(0.07)
}

fn people() -> impl Strategy<Value = Step> {
    let class = prop_oneof![
        6 => Just(SessionClass::User),
        1 => Just(SessionClass::Greeter),
        1 => Just(SessionClass::Background),
        1 => Just(SessionClass::UserIncomplete),
        1 => Just(SessionClass::UserLight),
        2 => Just(SessionClass::BackgroundLight),
        2 => Just(SessionClass::Manager),
    ];
    let vt = prop_oneof![3 => Just(None), 1 => (1..3_u32).prop_map(Some)];
    prop_oneof![
        8 => (user(), other_name(), class, vt, any::<bool>()).prop_map(|(user, other_name, class, vt, more)| {
            Step::Open { user, other_name, class, vt, more }
        }),
        3 => (any::<u8>(), user(), any::<bool>()).prop_map(|(process, user, retry)| {
            Step::OpenBy { process, user, retry }
        }),
        5 => (any::<u8>(), 0..3_u8).prop_map(|(session, by)| Step::Close { session, by }),
        3 => (any::<u8>(), any::<u8>(), any::<bool>())
            .prop_map(|(session, process, token)| Step::CloseFrom { session, process, token }),
        1 => any::<u8>().prop_map(|session| Step::CloseByNumber { session }),
        6 => any::<u8>().prop_map(|process| Step::Exit { process }),
        3 => (any::<u8>(), any::<bool>()).prop_map(|(session, stubborn)| Step::Fork { session, stubborn }),
        1 => (0..3_u8).prop_map(|number| Step::Vt { number }),
    ]
}

fn administrator() -> impl Strategy<Value = Step> {
    let whom = prop::sample::select(vec![KillWhom::All, KillWhom::Leader]);
    prop_oneof![
        6 => (user(), other_name(), any::<bool>()).prop_map(|(user, other_name, flag)| {
            Step::Linger { user, other_name, flag }
        }),
        4 => any::<u8>().prop_map(|session| Step::TerminateSession { session }),
        4 => user().prop_map(|user| Step::TerminateUser { user }),
        2 => (any::<u8>(), whom, prop::sample::select(vec![1, 9, 15]))
            .prop_map(|(session, whom, signal)| Step::Kill { session, whom, signal }),
        2 => (user(), prop::sample::select(vec![9, 15])).prop_map(|(user, signal)| Step::KillUser { user, signal }),
        2 => conf().prop_map(Step::Reload),
        1 => (user(), any::<bool>()).prop_map(|(user, there)| Step::FlagFile { user, there }),
        1 => (user(), any::<bool>()).prop_map(|(user, there)| Step::Account { user, there }),
    ]
}

/// What is asked for through the bus, mostly by root and by the first user.
fn bus() -> impl Strategy<Value = Step> {
    let by = || 0..2_u8;
    let program = || 0..3_u8;
    let session = any::<u8>;
    let flag = any::<bool>;
    let to = prop_oneof![
        2 => (0..4_u32).prop_map(SwitchTo::Position),
        1 => Just(SwitchTo::Next),
        1 => Just(SwitchTo::Previous),
    ];
    let kind = prop::sample::select(vec![SessionType::Wayland, SessionType::X11, SessionType::Tty]);
    prop_oneof![
        3 => session().prop_map(|session| Step::Release { session }),
        4 => session().prop_map(|session| Step::Fifo { session }),
        2 => session().prop_map(|fifo| Step::LetGo { fifo }),
        1 => by().prop_map(|by| Step::TerminateSeat { by }),
        3 => (session(), by()).prop_map(|(session, by)| Step::Activate { session, by }),
        3 => (to, by()).prop_map(|(to, by)| Step::Switch { to, by }),
        1 => (prop::option::of(session()), flag(), by())
            .prop_map(|(session, lock, by)| Step::Lock { session, lock, by }),
        3 => (session(), flag(), by()).prop_map(|(session, idle, by)| Step::IdleHint { session, idle, by }),
        1 => (session(), flag(), by())
            .prop_map(|(session, locked, by)| Step::LockedHint { session, locked, by }),
        3 => (session(), by()).prop_map(|(session, by)| Step::Complete { session, by }),
        4 => (session(), program(), flag(), by()).prop_map(|(session, program, force, by)| {
            Step::TakeControl { session, program, force, by }
        }),
        1 => (session(), program()).prop_map(|(session, program)| Step::ReleaseControl { session, program }),
        1 => program().prop_map(|program| Step::ProgramGone { program }),
        3 => (session(), program(), kind)
            .prop_map(|(session, program, kind)| Step::SetType { session, program, kind }),
        1 => (session(), program(), any::<u8>())
            .prop_map(|(session, program, number)| Step::SetDisplay { session, program, number }),
        1 => (session(), program(), any::<u8>())
            .prop_map(|(session, program, number)| Step::SetTty { session, program, number }),
    ]
}

fn conf() -> impl Strategy<Value = Conf> {
    let delay = prop::sample::select(vec![Some(10 * SECOND), Some(0), None, Some(3 * SECOND)]);
    let rarely = || prop::bool::weighted(0.2);
    (delay, any::<bool>(), rarely(), prop::bool::weighted(0.8), rarely(), rarely()).prop_map(
        |(delay, kill, lists, manager, few, impatient)| Conf { delay, kill, lists, manager, few, impatient },
    )
}

fn tempers() -> impl Strategy<Value = Step> {
    let tempers = [
        Temper::Good,
        Temper::Good,
        Temper::Slow,
        Temper::Stubborn,
        Temper::Hung,
        Temper::Dying,
        Temper::Missing,
        Temper::Unwanted,
    ];
    prop::sample::select(tempers.to_vec()).prop_map(Step::Temper)
}

fn trouble() -> impl Strategy<Value = Step> {
    let failures = prop_oneof![
        4 => Just(Failures::default()),
        1 => Just(Failures { scope: true, ..Failures::default() }),
        1 => Just(Failures { runtime_dir: true, ..Failures::default() }),
        1 => Just(Failures { reap: true, ..Failures::default() }),
        1 => Just(Failures { teardown: true, ..Failures::default() }),
        1 => Just(Failures { linger: true, ..Failures::default() }),
        1 => Just(Failures { leader_watch: true, ..Failures::default() }),
        1 => Just(Failures { files: true, ..Failures::default() }),
    ];
    prop_oneof![
        3 => tempers(),
        3 => failures.prop_map(Step::Fail),
        1 => any::<bool>().prop_map(|down| Step::NameService { down }),
        1 => user().prop_map(|user| Step::Unmount { user }),
        1 => any::<(bool, bool)>().prop_map(|(missing, waited_for)| Step::Homes { missing, waited_for }),
        1 => (user(), any::<bool>()).prop_map(|(user, earlier)| Step::SaysReady { user, earlier }),
        1 => any::<u8>().prop_map(|session| Step::SaysEmpty { session }),
    ]
}

fn time() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => any::<[u8; 3]>().prop_map(|choices| Step::Go { choices }),
        4 => Just(Step::Settle),
        4 => Just(Step::Deadline),
        1 => Just(Step::Tick),
        2 => (0..120 * SECOND).prop_map(|time| Step::Wait { time }),
    ]
}

fn crash() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => Just(Step::Crash),
        12 => (0..12_u8).prop_map(|effects| Step::CrashAfter { effects }),
        4 => (0..12_u8).prop_map(|effects| Step::CrashTwice { effects }),
        1 => any::<bool>().prop_map(|usable| Step::CrashAndCgroups { usable }),
        1 => Just(Step::CrashWithoutIds),
    ]
}
