//! What is quoted: turnstile is in no distribution's archive that the bench could install, so it was measured once by hand.

/// turnstile beside elogind, in ratios of medians: another computer's milliseconds would say little.
pub(crate) struct Quoted {
    pub(crate) what: &'static str,
    /// turnstile's time, as a part of elogind's in the same run.
    pub(crate) turnstile_to_elogind: f64,
}

/// November 2026, on 2 processors, kernel 6.18: turnstile 0.1.10 (commit 5bcf92a, -O3, manage_rundir=yes, backend `none`) and
/// elogind 255.17-1debian2, each in a container of its own, by a PAM client of the same kind; medians of 500 logins, the means
/// of two runs. turnstile's pam_close_session only closes a socket: what the daemon then does is not in its time.
pub(crate) const TURNSTILE: [Quoted; 5] = [
    Quoted { what: "open, manager running, 1 at once", turnstile_to_elogind: 0.34 / 1.135 },
    Quoted { what: "open, manager running, 8 at once", turnstile_to_elogind: 3.055 / 7.485 },
    Quoted { what: "open, manager running, 32 at once", turnstile_to_elogind: 10.55 / 36.15 },
    Quoted { what: "close, 1 at once", turnstile_to_elogind: 0.01 / 0.485 },
    Quoted { what: "open, 1000 sessions held", turnstile_to_elogind: 3.48 / 1.255 },
];
