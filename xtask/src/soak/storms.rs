//! Which storms there are, and how long each may be.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};
use usher_tests::load::Ending;
use usher_tests::storm::{self, Plan, Survived};

/// The time that one round of all storms takes at most; if there is more, there are more rounds.
const ROUND: Duration = Duration::from_secs(300);
/// Booting, waiting until nothing is left, and shutting down come on top of a storm's own time.
const AROUND: Duration = Duration::from_secs(8);

/// A storm.
pub(super) struct Kind {
    /// In the table.
    pub(super) name: &'static str,
    /// In a few words.
    pub(super) what: &'static str,
    /// Its part of a round, in hundredths.
    share: u32,
    /// Logins, as far as there is time.
    logins: usize,
    let_loose: fn(&Plan) -> Result<Survived>,
}

/// What came of one.
pub(super) struct Round {
    pub(super) name: &'static str,
    pub(super) seed: u64,
    pub(super) took: Duration,
    pub(super) outcome: Result<Survived>,
}

const KINDS: [Kind; 8] = [
    Kind {
        name: "crashes",
        what: "usherd killed at random moments during 200 concurrent logins",
        share: 14,
        logins: 20_000,
        let_loose: storm::crashes,
    },
    Kind {
        name: "short sessions",
        what: "10000 short sessions like su's and ssh's, with crashes of usherd",
        share: 22,
        logins: 10_000,
        let_loose: storm::short_sessions,
    },
    Kind {
        name: "held, logout",
        what: "8000 sessions held, usherd killed, everybody logs out at once",
        share: 22,
        logins: 8000,
        let_loose: |plan| storm::held(plan, Ending::Close),
    },
    Kind {
        name: "held, death",
        what: "8000 sessions held, usherd killed, every leader dies at once",
        share: 20,
        logins: 8000,
        let_loose: |plan| storm::held(plan, Ending::Die),
    },
    Kind {
        name: "relogin",
        what: "logins race the teardown of the same user's last logout",
        share: 6,
        logins: 5000,
        let_loose: storm::relogin,
    },
    Kind {
        name: "managers",
        what: "user managers that fail, end, hang, flood and do not stop",
        share: 7,
        logins: 2000,
        let_loose: storm::managers,
    },
    Kind {
        name: "stalls",
        what: "usherd stopped (SIGSTOP) for moments during logins",
        share: 5,
        logins: 5000,
        let_loose: storm::stalls,
    },
    Kind {
        name: "denied",
        what: "10000 logins that a later PAM module refuses",
        share: 4,
        logins: 10_000,
        let_loose: storm::denied,
    },
];

/// One storm after the other, each with its time, until there is no time for another one.
pub(super) fn schedule(time: Duration, start: Instant) -> impl Iterator<Item = (&'static Kind, Duration)> {
    let around = AROUND.min(time / 20);
    let all_around = around * u32::try_from(KINDS.len()).unwrap_or(1);
    let round = time.min(ROUND).saturating_sub(all_around);
    KINDS.iter().cycle().map_while(move |kind| {
        let left = time.saturating_sub(start.elapsed()).checked_sub(around)?;
        (left > around).then(|| (kind, (round * kind.share / 100).min(left)))
    })
}

impl Kind {
    /// Lets it loose. Whatever fails is an outcome; the next storm comes all the same.
    pub(super) fn run(&self, limit: Duration, seed: u64) -> Round {
        let start = Instant::now();
        let plan = Plan::new(self.logins, limit, seed);
        let outcome = catch_unwind(AssertUnwindSafe(|| (self.let_loose)(&plan))).unwrap_or_else(|panic| {
            let text = panic.downcast_ref::<String>().map_or("it panicked, see above", String::as_str);
            // The whole of it, with the machine's dump, was printed already.
            Err(anyhow!("{}", text.lines().next().unwrap_or_default()))
        });
        Round { name: self.name, seed, took: start.elapsed(), outcome }
    }
}
