//! Logins that are refused, and why.

use anyhow::Result;

use crate::wire::Arg;
use crate::world::{ALICE, Login, NOBODY, World, s};

/// Every check of CreateSession, and which comes first.
pub(crate) fn refused(w: &mut World) -> Result<()> {
    let root = &mut w.root()?;
    let leader = w.client("leader", ALICE)?;
    let good = Login::of(ALICE, &leader);
    let mut leaders = Vec::new();
    let none = Login { uid: u32::MAX, ..good.clone() };
    w.section("one thing wrong");
    for login in [
        none.clone(),
        Login { flags: 1, ..good.clone() },
        Login { pid: 1, ..good.clone() },
        Login { kind: "x12", ..good.clone() },
        Login { class: "nobility", ..good.clone() },
        Login { class: "none", ..good.clone() },
        Login { desktop: "a\nb", ..good.clone() },
        Login { desktop: "a\"b", ..good.clone() },
        Login { desktop: "a\\b", ..good.clone() },
        Login { seat: "seat-9", ..good.clone() },
        Login { seat: "nonsense", ..good.clone() },
        Login { seat: "self", ..good.clone() },
        Login { seat: "auto", ..good.clone() },
        Login { tty: "tty1", ..good.clone() },
        Login { tty: "/dev/tty1", ..good.clone() },
        Login { tty: "tty1", seat: "seat-9", ..good.clone() },
        Login { tty: "tty1", vtnr: 2, ..good.clone() },
        Login { tty: "console", vtnr: 1, ..good.clone() },
        Login { seat: "seat0", vtnr: 1, ..good.clone() },
        Login { uid: NOBODY, ..good.clone() },
    ] {
        w.manager(root, "CreateSessionWithPIDFD", &login.args())?;
    }
    w.section("by number");
    for pid in [Arg::U(1), Arg::U(4_194_304), Arg::U(u32::MAX)] {
        let mut args = good.old_args();
        args[1] = pid;
        w.manager(root, "CreateSession", &args)?;
    }
    w.section("a descriptor that is no process");
    let mut args = good.args();
    args[1] = Arg::Null;
    w.manager(root, "CreateSessionWithPIDFD", &args)?;
    w.section("two things wrong");
    for login in [
        Login { flags: 1, ..none },
        Login { flags: 1, pid: 1, ..good.clone() },
        Login { pid: 1, kind: "x12", ..good.clone() },
        Login { kind: "x12", class: "nobility", ..good.clone() },
        Login { class: "nobility", desktop: "a\nb", ..good.clone() },
        Login { desktop: "a\nb", seat: "seat-9", ..good.clone() },
        Login { kind: "x12", seat: "seat-9", ..good.clone() },
        Login { seat: "seat-9", vtnr: 64, ..good.clone() },
        Login { uid: NOBODY, vtnr: 1, ..good.clone() },
        Login { uid: NOBODY, kind: "x12", ..good.clone() },
    ] {
        w.manager(root, "CreateSessionWithPIDFD", &login.args())?;
    }
    w.section("arguments of other types");
    w.manager(root, "CreateSessionWithPIDFD", &[])?;
    w.manager(root, "CreateSessionWithPIDFD", &good.old_args())?;
    w.manager(root, "CreateSession", &good.args())?;
    w.manager(root, "CreateSession", &[s("alice")])?;
    w.section("nobody has come");
    w.manager(root, "ListSessions", &[])?;
    w.manager(root, "ListUsers", &[])?;
    w.section("terminals without a seat, and what is none, though it is called like one");
    for (name, vtnr, tty, seat) in [
        ("one", 1, "", ""),
        ("sixty-four", 64, "", ""),
        ("other", 0, "tty64", ""),
        ("another", 0, "tty64", "seat0"),
        ("zero", 0, "tty0", ""),
    ] {
        let leader = w.client(name, ALICE)?;
        let login = Login { vtnr, tty, seat, ..Login::of(ALICE, &leader) };
        w.manager(root, "CreateSessionWithPIDFD", &login.args())?;
        leaders.push(leader);
    }
    Ok(())
}

/// Properties of the session's scope, which are not logind's to understand.
pub(crate) fn scope(w: &mut World) -> Result<()> {
    let root = &mut w.root()?;
    let first = w.client("first", ALICE)?;
    w.create(root, &Login::of(ALICE, &first))?;
    let mut leaders = Vec::new();
    for (name, value) in [
        ("TasksMax", Arg::T(100)),
        ("MemoryMax", Arg::T(1 << 40)),
        ("NoSuchProperty", Arg::U(1)),
        ("TasksMax", s("many")),
    ] {
        let leader = w.client("leader", ALICE)?;
        let mut args = Login::of(ALICE, &leader).args();
        if let Some(last) = args.last_mut() {
            *last = Arg::Properties(vec![(name.to_owned(), value)]);
        }
        w.manager(root, "CreateSessionWithPIDFD", &args)?;
        w.settle(root)?;
        leaders.push(leader);
    }
    w.manager(root, "ListSessions", &[]).map(drop)
}
