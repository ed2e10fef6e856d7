//! Users who stay without a session.

use anyhow::Result;

use crate::wire::Arg;
use crate::world::{ALICE, BOB, NOBODY, World};

const USER: &str = "/org/freedesktop/login1/user/_1001";
const FLAG: &str = "/var/lib/systemd/linger/alice";

pub(crate) fn lingering(w: &mut World) -> Result<()> {
    let root = &mut w.root()?;
    let linger = |uid, on| [Arg::U(uid), Arg::B(on), Arg::B(false)];
    w.section("on");
    w.manager(root, "SetUserLinger", &linger(ALICE, true))?;
    w.wait(root, "Manager.SessionNew")?;
    w.wait_get(root, USER, "User", "State", "lingering")?;
    w.get_all(root, USER, "User")?;
    w.file(FLAG, "flag", &[]);
    w.file("/run/systemd/users/1001", "user file", &["NAME", "STATE", "STOPPING", "RUNTIME", "DISPLAY"]);
    w.section("on again");
    w.manager(root, "SetUserLinger", &linger(ALICE, true))?;
    w.manager(root, "ListUsers", &[])?;
    w.manager(root, "ListSessionsEx", &[])?;
    w.section("off");
    w.manager(root, "SetUserLinger", &linger(ALICE, false))?;
    w.file(FLAG, "flag", &[]);
    w.wait(root, "Manager.UserRemoved")?;
    w.settle(root)?;
    w.manager(root, "SetUserLinger", &linger(ALICE, false))?;
    w.manager(root, "ListUsers", &[])?;
    w.section("of nobody");
    w.manager(root, "SetUserLinger", &linger(NOBODY, true))?;
    w.manager(root, "SetUserLinger", &linger(NOBODY, false))?;
    w.manager(root, "SetUserLinger", &linger(u32::MAX, true))?;
    w.section("as alice and as bob, who have no session");
    let mut alice = w.client("alice", ALICE)?;
    let mut bob = w.client("bob", BOB)?;
    w.manager(&mut alice, "SetUserLinger", &linger(BOB, true))?;
    w.manager(&mut alice, "SetUserLinger", &linger(u32::MAX, true))?;
    w.manager(&mut bob, "SetUserLinger", &linger(ALICE, false))?;
    w.manager(&mut alice, "SetUserLinger", &linger(ALICE, true)).map(drop)
}
