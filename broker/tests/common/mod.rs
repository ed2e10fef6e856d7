//! What every test against the real kernel needs.

use std::io::Write;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

use usher_broker::sys::mount::{Problem, Wanted, create};
use usher_model::RuntimeForm;
use usher_model::record::RuntimeDir;
use usher_protocol::ids::Uid;

/// Fails with a sentence instead of a riddle where the test cannot work.
pub(crate) fn require_root() {
    assert!(
        rustix::process::geteuid().is_root(),
        "this test needs root and changes /run/user and the cgroup tree: run it in the sandbox (cargo xtask test)"
    );
}

/// A user of the test's own, so that tests can run side by side.
pub(crate) fn uid(number: u32) -> Uid {
    (3_999_000_000 + number).try_into().expect("a valid uid")
}

/// The size of the tests' runtime directories, in bytes.
pub(crate) const SIZE: u64 = 1 << 20;
/// Their group.
pub(crate) const GID: u32 = 4242;

/// A runtime directory as the tests want it.
pub(crate) fn wanted(uid: Uid) -> Wanted {
    Wanted { uid, gid: GID, form: RuntimeForm::Auto, bytes: SIZE, inodes: 100 }
}

/// Makes it, by an usherd that knows of none before.
pub(crate) fn make(uid: Uid) -> Result<RuntimeDir, Problem> {
    create(&wanted(uid), None)
}

/// A process that lives until it is told to go, or dropped.
pub(crate) struct Process {
    child: Child,
    stdin: Option<ChildStdin>,
}

impl Process {
    pub(crate) fn start() -> Self {
        Self::run(&mut Command::new("cat"))
    }

    /// One of that user's.
    pub(crate) fn start_as(uid: Uid) -> Self {
        use std::os::unix::process::CommandExt;
        Self::run(Command::new("cat").uid(uid.get()).gid(GID))
    }

    fn run(command: &mut Command) -> Self {
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().expect("cat can be started");
        let stdin = child.stdin.take();
        Self { child, stdin }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Lets it exit and reaps it.
    pub(crate) fn end(mut self) {
        self.reap();
    }

    /// The signal that it was ended by.
    pub(crate) fn signal(mut self) -> Option<i32> {
        use std::os::unix::process::ExitStatusExt;
        self.child.wait().expect("it can be waited for").signal()
    }

    fn reap(&mut self) {
        drop(self.stdin.take());
        let _ = self.child.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        self.reap();
    }
}

/// Waits until something holds, and says what it looked like when it did not in time.
pub(crate) fn wait_until<T: std::fmt::Debug>(what: &str, state: impl Fn() -> T, holds: impl Fn(&T) -> bool) {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        let now = state();
        if holds(&now) {
            return;
        }
        assert!(Instant::now() < deadline, "{what} did not come true; last seen: {now:?}");
        std::thread::yield_now();
    }
}

/// Prints a measurement past the harness's capture, for whoever runs the tests by hand.
pub(crate) fn report(line: std::fmt::Arguments<'_>) {
    let _ = writeln!(std::io::stderr(), "{line}");
}
