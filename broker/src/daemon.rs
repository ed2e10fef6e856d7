//! The order of things at start: what must hold before the first login is let in.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::{CommandFactory as _, Parser};
use tracing::{error, info, warn};
use usher_model::Model;

use crate::fifos::Fifos;
use crate::followers::{Follower, Followers};
use crate::hooks::Hooks;
use crate::inbox::Broker;
use crate::interpret::{Interpreter, Placing};
use crate::leaders::Leaders;
use crate::linger::LingerWriter;
use crate::lookups::Lookups;
use crate::manager::{self, Managers, Words};
use crate::memory::Memory;
use crate::ready::{self, Ready};
use crate::resizer::Resizer;
use crate::run::Run;
use crate::scopes::Scopes;
use crate::socket::{self, Guests, Headroom, Lock, Service, Tokens};
use crate::state::StateFiles;
use crate::status::Status;
use crate::sys::cgroup::CgroupRoot;
use crate::sys::rcu::Expediter;
use crate::sys::vt::{self, Foreground};
use crate::sys::{self, Readiness, accounts, clock, limits, mount, rcu};
use crate::targets::Targets;
use crate::witness::Witness;
use crate::{check, crash, dbus, forgotten, logging, restore, rivals, settings};

/// For so long a thread that has nothing to do waits for more. It keeps some of what was free when it worked.
const THREADS_REST: Duration = Duration::from_secs(1);

/// The login and session broker
///
/// Runs in the foreground, as root; a service manager keeps it running. SIGTERM ends it and leaves sessions, user managers
/// and runtime directories as they are; SIGHUP reads the configuration again.
#[derive(Debug, Parser)]
#[command(name = "usherd", version)]
struct Arguments {
    /// Read the configuration, say which files that are and what is wrong in them, and end: with 0 if nothing is.
    /// Changes nothing and needs no rights
    #[arg(long)]
    check: bool,
    /// With --check: the files of a machine whose root is this directory
    #[arg(long, value_name = "DIRECTORY", default_value = "/", requires = "check")]
    root: PathBuf,
    /// Write a newline to this descriptor when logins are served, as s6 and dinit want it; sd_notify works without it
    #[arg(long, value_name = "N")]
    ready_fd: Option<i32>,
    /// Log to syslog instead of standard error
    #[arg(long)]
    syslog: bool,
}

/// The clap command, for the manual.
pub fn command() -> clap::Command {
    Arguments::command()
}

/// The whole program.
pub fn main() -> ExitCode {
    // Work that must not be done in the broker's own process (look-ups that may hang, deleting with a user's rights)
    // is done by this same program under another argument.
    let mut arguments = std::env::args_os().skip(1);
    match arguments.next() {
        Some(word) if word == accounts::LOOKUP_ARGUMENT => {
            return accounts::lookup_main(&arguments.next().unwrap_or_default().to_string_lossy());
        }
        Some(word) if word == manager::GROUPS_ARGUMENT => {
            return manager::groups_main(arguments.filter_map(|word| word.into_string().ok()));
        }
        Some(word) if word == mount::REMOVE_CONTENTS_ARGUMENT => {
            return remove_contents(Path::new(&arguments.next().unwrap_or_default()));
        }
        #[cfg(feature = "crash-points")]
        Some(word) if word == crash::LIST_ARGUMENT => return crash::list(),
        _ => {}
    }
    let arguments = Arguments::try_parse().unwrap_or_else(|error| {
        if error.use_stderr() {
            ready::tell_failure(&rustix::io::Errno::INVAL.into());
        }
        error.exit()
    });
    if arguments.check {
        return check::run(arguments.root);
    }
    sys::memory::start_again_with_little(std::env::args_os());
    // Before anything else is opened, or it could be taken for what usherd was started with.
    let service_manager = Ready::new(arguments.ready_fd);
    sys::memory::keep_little();
    logging::start(arguments.syslog);
    match service_manager.and_then(serve) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            error!("{error:#}");
            ready::tell_failure(&error);
            ExitCode::FAILURE
        }
    }
}

fn remove_contents(path: &Path) -> ExitCode {
    match mount::remove_contents(path) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("usherd: {error}");
            ExitCode::FAILURE
        }
    }
}

fn serve(service_manager: Ready) -> Result<()> {
    if !rustix::process::geteuid().is_root() {
        bail!("usherd must run as root");
    }
    rivals::refuse()?;
    // Whatever usherd was started with: what it makes for everyone to pass through must let everyone pass.
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o022));
    std::env::set_current_dir("/").context("cannot change to /")?;
    let lock = Lock::take()?;
    crash::point(crash::START_LOCKED);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .thread_keep_alive(THREADS_REST)
        .build()
        .context("cannot start the asynchronous runtime")?;
    runtime.block_on(start(&lock, service_manager))?;
    info!("usherd stops; sessions, user managers and runtime directories stay");
    // Work that is under way in other threads is taken up again by the next usherd.
    runtime.shutdown_background();
    rcu::clear();
    Ok(())
}

async fn start(lock: &Lock, service_manager: Ready) -> Result<()> {
    let descriptors = limits::raise_open_files();
    // First of all: who logs in while this usherd finds out what the last one has left waits for it, within his budget,
    // instead of being told that there is none.
    let listeners = socket::bind(lock)?;
    dbus::bus::refuse_rival().await?;
    let status = Status::new();
    let (configuration, choices) = settings::load(None, &status);
    let cgroups = match CgroupRoot::detect() {
        Ok(root) => {
            status.cgroups(Ok(root.mount_point()));
            Some(Arc::new(root))
        }
        Err(error) => {
            status.cgroups(Err(error.to_string()));
            warn!("sessions have no cgroups and end with their leaders: {error}");
            None
        }
    };
    if let Err(error) = mount::share_parent() {
        warn!("user managers may miss runtime directories of users who log in after them: {error}");
    }
    mount::check_mounting(configuration.runtime_directory);
    let files = StateFiles::default();
    let past = restore::look(&files, cgroups.as_deref())?;
    let mut found = past.found;
    let known = found.users.iter().map(|user| user.record.uid).collect();
    forgotten::clear(&known, cgroups.as_ref()).await;
    found.has_vts = vt::available();
    let foreground = foreground_watch(found.has_vts);
    found.foreground = foreground.as_ref().and_then(|(terminal, _)| terminal.read());
    let mut leaders = Leaders::new()?;
    for (session, leader) in past.leaders {
        leaders.watch(session, leader)?;
    }
    let for_model = settings::for_model(&configuration, cgroups.is_some());
    let (model, first) = Model::restore(for_model, found, clock::now());
    crash::point(crash::START_RESTORED);
    let (broker, inbox) = Broker::new();
    let memory = Memory::default();
    tokio::spawn(memory.clone().give_back());
    let lookups = Lookups::new(broker.clone());
    let words = Words::default();
    let hooks = Hooks::start(configuration.hook_timeout);
    let mut followers = Followers::default();
    followers.join(follower(&model, hooks.clone(), broker.clone()));
    let interpreter = Interpreter {
        broker: broker.clone(),
        cgroups: cgroups.clone(),
        files,
        leaders,
        fifos: Fifos::new()?,
        scopes: Scopes::new(cgroups.clone(), Expediter::new(configuration.expedite_rcu))?,
        placing: Placing::default(),
        managers: Managers::new(broker.clone(), cgroups.clone(), choices, words.clone()),
        linger: LingerWriter::start(broker.clone()),
        resizer: Resizer::default(),
        lookups: lookups.clone(),
        requests: Default::default(),
        changes: Vec::new(),
        followers,
        hooks,
        answers: Vec::new(),
        unplaced: Default::default(),
    };
    let guests = Arc::new(Guests::new(configuration.connections_max, configuration.user_connections_max));
    let headroom = Headroom::new(descriptors);
    let tokens = Tokens::load()?;
    let service = Service {
        broker,
        guests,
        headroom,
        lookups,
        tokens,
        memory: memory.clone(),
        cgroups,
        words,
        status: status.clone(),
    };
    let ready = move || {
        crash::point(crash::START_LISTENING);
        for listener in listeners {
            tokio::spawn(socket::serve(listener, service.clone()));
        }
        dbus::start(service);
        info!(descriptors, "ready on {}", usher_protocol::SOCKET_PATH);
        service_manager.tell();
    };
    let run = Run { model, interpreter, inbox, foreground, memory, status, next_request: 0 };
    // As a task: what the runtime waits for itself has it look for news from the kernel before each turn.
    tokio::spawn(run.run(first, ready)).await.context("the loop has ended")?
}

/// Whoever has programs run because of what changes.
fn follower(model: &Model, hooks: Hooks, broker: Broker) -> Follower {
    let mut witness = Witness::looks(model);
    let mut targets = Targets::new(model, broker);
    Box::new(move |change, model| {
        for incident in witness.hears(change, model) {
            targets.hear(&incident, model);
            hooks.push(incident);
        }
        true
    })
}

fn foreground_watch(has_vts: bool) -> Option<(Foreground, Readiness)> {
    if !has_vts {
        return None;
    }
    let open = || -> Result<_> {
        let terminal = Foreground::open()?;
        let changed = Readiness::of_priority(&terminal)?;
        Ok((terminal, changed))
    };
    match open() {
        Ok(watch) => Some(watch),
        Err(error) => {
            warn!("cannot follow the foreground terminal: {error}");
            None
        }
    }
}
