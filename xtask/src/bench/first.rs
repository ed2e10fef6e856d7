//! First logins, beside the bare manager that each of them waits for.

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use usher_tests::Machine;
use usher_tests::load::{self, Held, Logins};

use super::backend::{self, Backend, Definition};
use super::plan::{CONFIG, Plan, REST, USHER, say, wait_for_managers};
use super::stats::Times;
use super::usherd::Usherd;

/// The first user's number; the others follow.
const FIRST_UID: u32 = 2000;

/// A bare user manager, as usherd would start it, but with everything made beforehand: cgroup, runtime directory, the user's
/// identity, and the mount namespace with the boot marker where the manager needs one. No PAM, no broker. Signals are as usherd
/// would leave them: under nohup(1) a manager that is told to hang up before it listens would stay for ever.
const BARE: &str = r#"
set -e
uid=$1 name=$2 marker=$3 readiness=$4 stop=$5 line=$6
unit=/sys/fs/cgroup/user.slice/user-$uid.slice/user@$uid.service
mkdir -p "$unit/init.scope" "/run/user/$uid"
chown "$uid:$uid" "$unit" "$unit"/cgroup.* "$unit/init.scope" "$unit"/init.scope/cgroup.* 2>/dev/null || true
mount -t tmpfs -o "mode=0700,uid=$uid,gid=$uid,nosuid,nodev" tmpfs "/run/user/$uid"
status=0
unshare --mount --propagation slave sh -c '
  set -e
  uid=$1 name=$2 marker=$3 readiness=$4 stop=$5 line=$6 unit=$7
  if [ "$marker" = true ]; then
    mount -t tmpfs tmpfs /run/systemd
    mkdir /run/systemd/system
  fi
  echo 0 > "$unit/init.scope/cgroup.procs"
  cd "/home/$name"
  eval "set -- $line"
  exec setpriv --reuid "$uid" --regid "$uid" --init-groups env -i --default-signal PATH="$PATH" LANG=C.UTF-8 USER="$name" \
    LOGNAME="$name" HOME="/home/$name" SHELL=/bin/bash XDG_RUNTIME_DIR="/run/user/$uid" \
    usher-pam-load ready --readiness "$readiness" --stop "$stop" -- "$@"
' sh "$@" "$unit" || status=$?
echo 1 > "$unit/cgroup.kill"
umount "/run/user/$uid" && rmdir "/run/user/$uid"
exit $status
"#;

/// Makes the users' directories of services, one hour old: none of them logs in for the first time in his life. And runsvdir,
/// told to stop while it waits for the end of the second in which its directory changed, takes five seconds.
const SERVICES: &str = r#"
set -e
directory=$1 file=$2 text=$3
shift 3
for name in "$@"; do
  cd "/home/$name"
  mkdir -p "$directory"
  [ -z "$file" ] || printf %s "$text" > "$directory/$file"
  touch -d "1 hour ago" "$directory"
  chown -R "$name:" .config
done
"#;

/// How long a user manager took.
#[derive(Debug, Deserialize)]
struct Ready {
    ready_ns: u64,
}

/// First logins beside bare managers, of one kind.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct First {
    /// What `Manager=` calls it.
    pub(crate) manager: String,
    pub(crate) title: String,
    /// As in its definition; nothing if it is not installed, and then nothing was measured.
    pub(crate) readiness: Option<String>,
    pub(crate) open: Times,
    pub(crate) bare: Times,
    pub(crate) failures: Vec<String>,
}

/// Names of the users, whose numbers begin with 2000. One more of each than is measured: nobody's first login is the machine's
/// first.
pub(super) fn users(plan: &Plan) -> impl Iterator<Item = String> + use<> {
    let names = |prefix: &'static str, count: usize| (0..count).map(move |n| format!("{prefix}{n}"));
    names("first", plan.first + 1).chain(names("bare", plan.first + 1))
}

/// With the manager of a machine whose usher.conf names none, and with its usherd.
pub(super) fn of_default(plan: &Plan, machine: &Machine) -> Result<First> {
    measure(plan, machine, &backend::DEFAULT)
}

/// With the others that are installed, each in a machine of its own.
pub(super) fn of_others(plan: &Plan) -> Result<Vec<First>> {
    backend::OTHERS.iter().map(|backend| of_other(plan, backend)).collect()
}

fn of_other(plan: &Plan, backend: &Backend) -> Result<First> {
    if !backend.is_installed()? {
        return Ok(First::new(backend, None));
    }
    say(&format!("first logins, beside the bare `{}`", backend.title));
    let mut builder = Machine::builder().config(&format!("{CONFIG}Manager={}\n", backend.name));
    for (uid, name) in (FIRST_UID..).zip(users(plan)) {
        builder = builder.user(&name, uid);
    }
    let machine = builder.sysfs_writable().try_boot()?;
    if let Some(directory) = backend.services {
        let users: Vec<String> = users(plan).collect();
        let (file, text) = backend.boot.unwrap_or_default();
        let words = ["sh", "-c", SERVICES, "sh", directory, file, text];
        let words: Vec<&str> = words.into_iter().chain(users.iter().map(String::as_str)).collect();
        machine.run(&words);
    }
    let _usherd = Usherd::start(&machine)?;
    measure(plan, &machine, backend)
}

/// Every user in turn: first a login, then a bare manager, and the next time the other way round. The users of the
/// first round warm the caches and are not counted.
fn measure(plan: &Plan, machine: &Machine, backend: &Backend) -> Result<First> {
    let definition = backend.definition()?;
    prove(machine, backend)?;
    let mut first = First::new(backend, Some(definition.readiness));
    for number in 0..=plan.first {
        let mut sample = First::new(backend, None);
        let login_first = number % 2 == 0;
        if login_first {
            login(machine, number, &mut sample)?;
        }
        sample.bare.extend([bare(machine, &definition, plan.first + 1 + number, number)?]);
        if !login_first {
            login(machine, number, &mut sample)?;
        }
        if number > 0 {
            first.add(sample);
        }
    }
    Ok(first)
}

/// A login goes on where its manager fails, and would look fast: here one has to come up, and to be the one that is meant.
fn prove(machine: &Machine, backend: &Backend) -> Result<()> {
    let held = Held::open(machine, Logins { service: USHER, users: "first0", ..Logins::default() })?;
    wait_for_managers(machine, &["first0"]);
    let cgroup = format!("/user.slice/user-{FIRST_UID}.slice/user@{FIRST_UID}.service/init.scope");
    machine.wait_for(&format!("first0's manager to be {}", backend.program), || {
        let processes = machine.cgroup_procs(&cgroup).unwrap_or_default();
        processes.iter().any(|pid| {
            machine.try_run(&["cat", &format!("/proc/{pid}/comm")]).text().trim() == backend.program
        })
    });
    held.close()?;
    wait_until_gone(machine, 0);
    Ok(())
}

fn login(machine: &Machine, number: usize, first: &mut First) -> Result<()> {
    let user = format!("first{number}");
    let outcome =
        load::cycles(machine, Logins { service: USHER, users: &user, rest: REST, ..Logins::default() })?;
    wait_until_gone(machine, number);
    first.open.extend(outcome.open_ns);
    first.failures.extend(outcome.failures);
    Ok(())
}

fn wait_until_gone(machine: &Machine, number: usize) {
    let slice = format!("/user.slice/user-{}.slice", FIRST_UID as usize + number);
    machine.wait_for("everything of the user to be gone", || machine.cgroup_procs(&slice).is_none());
}

/// Nanoseconds that a bare manager takes, of the user with that offset.
fn bare(machine: &Machine, definition: &Definition, offset: usize, number: usize) -> Result<u64> {
    let uid = FIRST_UID + u32::try_from(offset).context("number the users")?;
    let name = format!("bare{number}");
    let line = definition.command_line(&name, uid)?;
    let (uid, marker) = (uid.to_string(), definition.boot_marker.to_string());
    let words = ["sh", "-c", BARE, "sh", &uid, &name, &marker, definition.readiness, definition.stop, &line];
    let ready: Ready = load::measure(machine, &words)?;
    Ok(ready.ready_ns)
}

impl First {
    fn new(backend: &Backend, readiness: Option<&str>) -> Self {
        let (open, bare) = (Times::default(), Times::default());
        Self {
            manager: backend.name.to_owned(),
            title: backend.title.to_owned(),
            readiness: readiness.map(str::to_owned),
            open,
            bare,
            failures: Vec::new(),
        }
    }

    fn add(&mut self, sample: Self) {
        self.open.append(sample.open);
        self.bare.append(sample.bare);
        self.failures.extend(sample.failures);
    }

    /// What usher adds, in milliseconds: the difference of the medians.
    pub(crate) fn added(&self) -> Option<f64> {
        self.open.percentile(50).zip(self.bare.percentile(50)).map(|(open, bare)| open - bare)
    }
}
