//! Named moments at which a test can have usherd die, as by `kill -9`: before and after every effect, and inside the edges
//! wherever one step is done and the next is not. Only a program built with the feature `crash-points` heeds them; in
//! every other one they are nothing at all.
//!
//! `usherd-crash-points --list-crash-points` names them. It dies
//! * at the N-th passage of a point since its start, with `USHERD_CRASH_POINT=NAME` or `NAME:N` in its environment;
//! * at the N-th passage since the file that `USHERD_CRASH_CONTROL` names came into being, if that holds such a line;
//!   as long as the file is there, whatever it holds, each passage is noted in a file of that name with `.passed` added.
//!
//! With `USHERD_CRASH_STOPS` in its environment it only stops there, as by SIGSTOP, and goes on at SIGCONT.

#[cfg(feature = "crash-points")]
mod armed;

use usher_model::Effect;

#[cfg(feature = "crash-points")]
pub(crate) use armed::{LIST_ARGUMENT, list, point};

/// A moment at which usherd may be made to die.
#[cfg(not(feature = "crash-points"))]
#[inline]
pub(crate) fn point(_name: &'static str) {}

/// The moments around an effect.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Around {
    pub(crate) before: &'static str,
    pub(crate) after: &'static str,
}

macro_rules! effects {
    ($($effect:ident,)*) => {
        /// The moments around this effect. One that is missing in the list does not compile.
        #[inline]
        pub(crate) fn around(effect: &Effect) -> Around {
            match effect {
                $(Effect::$effect { .. } => Around {
                    before: concat!("before-", stringify!($effect)),
                    after: concat!("after-", stringify!($effect)),
                },)*
            }
        }

        #[cfg(feature = "crash-points")]
        const AROUND_EFFECTS: &[&str] =
            &[$(concat!("before-", stringify!($effect)), concat!("after-", stringify!($effect)),)*];
    };
}

macro_rules! points {
    ($($(#[$attribute:meta])* $point:ident = $name:literal,)*) => {
        $($(#[$attribute])* pub(crate) const $point: &str = $name;)*

        #[cfg(feature = "crash-points")]
        const INSIDE_EDGES: &[&str] = &[$($name,)*];
    };
}

effects! {
    ReserveIds,
    SaveSession,
    RemoveSession,
    SaveUser,
    RemoveUser,
    SaveSeat,
    CreateRuntimeDir,
    ResizeRuntimeDirs,
    CreateScope,
    ReapScope,
    WatchScope,
    WatchAdopted,
    SignalScope,
    KillScope,
    SignalLeader,
    WatchLeader,
    ForgetLeader,
    SignalUser,
    StartManager,
    ReleaseManager,
    AdoptManager,
    StopManager,
    KillManager,
    TearDownUser,
    WriteLinger,
    ResolveLinger,
    WatchMounts,
    ActivateVt,
    OpenFifo,
    RemoveFifo,
    Tell,
    Reply,
    Announce,
}

// One that is listed and passed nowhere is a warning of the compiler: an unused constant.
points! {
    // run
    /// The model has decided, nothing is done.
    DECIDED = "decided",
    // state, counter
    STATE_FILE_WRITTEN = "state-file-written-not-renamed",
    ID_COUNTER_WRITTEN = "id-counter-written-not-renamed",
    // sys::mount
    TMPFS_MADE = "tmpfs-made-not-attached",
    RUNTIME_DIRECTORY_MADE = "runtime-directory-made-nothing-mounted",
    TMPFS_ATTACHED = "tmpfs-attached-not-shared",
    TMPFS_SHARED = "tmpfs-shared-not-reported",
    RUNTIME_UNMOUNTED = "runtime-unmounted-directory-there",
    PLAIN_DIRECTORY_MADE = "plain-directory-made-not-given",
    PLAIN_CONTENTS_REMOVED = "plain-contents-removed-directory-there",
    PARENT_BOUND = "run-user-bound-not-shared",
    // sys::cgroup, scopes
    SCOPE_MADE = "scope-made-leader-elsewhere",
    LEADER_MOVED = "leader-moved-not-reported",
    LEADER_MOVED_BACK = "leader-moved-back-scope-there",
    // manager
    MANAGER_CGROUP_MADE = "manager-cgroup-made",
    READINESS_BOUND = "readiness-socket-made",
    MANAGER_SPAWNED = "manager-spawned-not-on-file",
    MANAGER_RELEASED = "manager-released",
    MANAGER_READY = "manager-ready-not-reported",
    MANAGER_TOLD_TO_STOP = "manager-told-to-stop",
    MANAGER_KILLED = "manager-killed",
    MANAGER_ENDED = "manager-ended-not-reaped",
    MANAGER_REAPED = "manager-reaped-cgroup-there",
    MANAGER_CLEARED = "manager-cleared-not-reported",
    // teardown
    TEARDOWN_MANAGER_CLEARED = "teardown-manager-cleared",
    TEARDOWN_RUNTIME_REMOVED = "teardown-runtime-removed",
    TEARDOWN_IPC_REMOVED = "teardown-ipc-removed",
    TEARDOWN_SLICE_REMOVED = "teardown-slice-removed",
    TORN_DOWN = "torn-down-not-reported",
    // sys::linger, linger
    LINGER_FLAG_MADE = "linger-flag-made-not-synced",
    LINGER_FLAG_SYNCED = "linger-flag-synced",
    LINGER_FLAG_UNLINKED = "linger-flag-unlinked-not-synced",
    LINGER_FLAG_GONE = "linger-flag-unlinked-synced",
    LINGER_RESOLVED = "linger-resolved-not-reported",
    // daemon, restore
    START_LOCKED = "start-locked",
    START_FILES_READ = "start-files-read",
    START_SWEPT = "start-swept",
    START_RESTORED = "start-restored-nothing-done",
    START_DONE = "start-done-nobody-served",
    START_SOCKET_MADE = "start-socket-made-not-in-place",
    START_LISTENING = "start-listening-init-not-told",
    // socket
    REQUEST_READ = "request-read-not-handed-on",
    ANSWER_DUE = "answer-not-sent",
    ANSWER_SENT = "answer-sent",
}
