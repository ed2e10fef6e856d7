//! What can happen on a machine, as data: a history is a list of these. Numbers choose among what there is at that moment,
//! so that every list is a possible history, and still one when something is taken out of it.

mod asked;
mod happen;
mod strategy;

use usher_protocol::ids::Uid;
use usher_protocol::session::{KillWhom, SessionClass, SessionType};

use super::world::{Failures, Kernel, Temper, World, account, name, uid};
use crate::event::SwitchTo;
use crate::service::{CgroupUse, ManagerUse, Nested, Rules, ServiceName, Services};
use crate::settings::Settings;

pub(super) use strategy::{machine, racing, step, step_of_a_life};

/// Something that happens. As it is printed, it can be pasted into `regressions.rs`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    /// On the second virtual terminal people run a desktop.
    Open {
        user: u8,
        other_name: bool,
        class: SessionClass,
        vt: Option<u32>,
        more: bool,
    },
    /// By a process that is there: su, a retry, a second session of one that has closed its first.
    OpenBy {
        process: u8,
        user: u8,
        retry: bool,
    },
    Close {
        session: u8,
        by: u8,
    },
    /// By a process that the edge knows, with root's right or the token.
    CloseFrom {
        session: u8,
        process: u8,
        token: bool,
    },
    /// Of a session that may be gone for long.
    CloseByNumber {
        session: u8,
    },
    Exit {
        process: u8,
    },
    Fork {
        session: u8,
        stubborn: bool,
    },
    Linger {
        user: u8,
        other_name: bool,
        flag: bool,
    },
    /// The flag's file comes or goes behind the broker's back.
    FlagFile {
        user: u8,
        there: bool,
    },
    /// The user's entry in the user database.
    Account {
        user: u8,
        there: bool,
    },
    TerminateSession {
        session: u8,
    },
    TerminateUser {
        user: u8,
    },
    Kill {
        session: u8,
        whom: KillWhom,
        signal: i32,
    },
    KillUser {
        user: u8,
        signal: i32,
    },
    Vt {
        number: u8,
    },
    /// The PAM application announces the logout.
    Release {
        session: u8,
    },
    /// A session is held open by a FIFO, too.
    Fifo {
        session: u8,
    },
    /// Whoever holds a FIFO lets go of it.
    LetGo {
        fifo: u8,
    },
    TerminateSeat {
        by: u8,
    },
    Activate {
        session: u8,
        by: u8,
    },
    Switch {
        to: SwitchTo,
        by: u8,
    },
    /// One session, or all.
    Lock {
        session: Option<u8>,
        lock: bool,
        by: u8,
    },
    IdleHint {
        session: u8,
        idle: bool,
        by: u8,
    },
    LockedHint {
        session: u8,
        locked: bool,
        by: u8,
    },
    /// The user has become a complete one.
    Complete {
        session: u8,
        by: u8,
    },
    TakeControl {
        session: u8,
        program: u8,
        force: bool,
        by: u8,
    },
    ReleaseControl {
        session: u8,
        program: u8,
    },
    /// A program leaves the bus.
    ProgramGone {
        program: u8,
    },
    SetType {
        session: u8,
        program: u8,
        kind: SessionType,
    },
    SetDisplay {
        session: u8,
        program: u8,
        number: u8,
    },
    SetTty {
        session: u8,
        program: u8,
        number: u8,
    },
    Temper(Temper),
    Fail(Failures),
    NameService {
        down: bool,
    },
    /// Somebody with root's rights unmounts a runtime directory.
    Unmount {
        user: u8,
    },
    /// Home directories are there or not, and lingering users wait for them or not.
    Homes {
        missing: bool,
        waited_for: bool,
    },
    Reload(Conf),
    /// A manager says that it is ready, late, again, or as an earlier run of it.
    SaysReady {
        user: u8,
        earlier: bool,
    },
    /// The edge says that a scope is empty, though nobody has asked, or it is not.
    SaysEmpty {
        session: u8,
    },
    /// Some of what is under way happens.
    Go {
        choices: [u8; 3],
    },
    Settle,
    /// The next deadline passes.
    Deadline,
    /// Somebody wakes the broker for nothing.
    Tick,
    Wait {
        time: u64,
    },
    Crash,
    /// A crash that many effects from now.
    CrashAfter {
        effects: u8,
    },
    /// A crash, and the next broker dies as well, that many effects later.
    CrashTwice {
        effects: u8,
    },
    /// A crash after which the cgroup tree can be used no more, or again.
    CrashAndCgroups {
        usable: bool,
    },
    /// The file with the session ids is gone when the next broker starts.
    CrashWithoutIds,
}

/// What an administrator may write into usher.conf.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Conf {
    pub(super) delay: Option<u64>,
    /// KillUserProcesses.
    pub(super) kill: bool,
    /// KillOnlyUsers: the first user; KillExcludeUsers: the second.
    pub(super) lists: bool,
    pub(super) manager: bool,
    /// Three sessions in all, two a user.
    pub(super) few: bool,
    /// No time-out is longer than a second.
    pub(super) impatient: bool,
}

/// What kind of machine it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Machine {
    /// Results that a real edge knows at once come later, too.
    pub(super) delayed: bool,
    pub(super) lingering: bool,
    pub(super) cgroups: bool,
    pub(super) managers: bool,
    pub(super) vts: bool,
}

impl Machine {
    /// The machine has just been booted.
    pub(super) fn boot(self) -> World {
        let foreground = 1.try_into().ok().filter(|_| self.vts);
        let mut kernel = Kernel { has_vts: self.vts, foreground, ..Kernel::default() };
        if self.lingering {
            let uid = user(1);
            kernel.linger_flags.insert(name(uid));
            kernel.accounts.insert(name(uid), account(uid));
        }
        let settings = Settings {
            cgroups: self.cgroups,
            manager: self.managers,
            services: services(),
            ..Settings::default()
        };
        let mut world = World::booted(settings, kernel);
        world.delayed = self.delayed;
        world
    }
}

/// PAM services with a policy of their own, and one without.
pub(super) const SERVICES: [&str; 6] = ["sshd", "reuse", "alone", "adopt", "off", "new"];

fn services() -> Services {
    let mut services = Services::default();
    let mut rules = |name: &str, rules| services.change(ServiceName::new(name).unwrap(), |now| *now = rules);
    rules("reuse", Rules { manager: Some(ManagerUse::Reuse), ..Rules::default() });
    rules("alone", Rules { manager: Some(ManagerUse::None), ..Rules::default() });
    rules("adopt", Rules { cgroup: Some(CgroupUse::Adopt), ..Rules::default() });
    rules("off", Rules { cgroup: Some(CgroupUse::Off), manager: Some(ManagerUse::None), ..Rules::default() });
    rules("new", Rules { nested: Some(Nested::New), ..Rules::default() });
    services
}

/// Root, two people, and two numbers that are not what a signed integer takes them for.
fn user(number: u8) -> Uid {
    uid(match number {
        0 => 0,
        3 => 1 << 31,
        4 => u32::MAX - 1,
        other => 1000 + u32::from(other),
    })
}
