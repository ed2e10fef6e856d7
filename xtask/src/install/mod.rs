//! `cargo xtask install` and `cargo xtask uninstall`: usher below a prefix, on this machine or staged for a package.

pub(crate) mod layout;
pub(crate) mod manifest;
mod pam;
mod plan;
pub(crate) mod table;
pub(crate) mod target;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::ValueEnum as _;

use crate::{cargo, root};
use layout::{Init, Layout};
use manifest::{Line, What};
use plan::Step;
use table::{Item, Kind};
use target::{Found, Target};

/// Options of `cargo xtask install` and `cargo xtask uninstall`.
#[derive(clap::Args, Clone)]
pub(crate) struct Options {
    /// Where programs, libraries and documentation go
    #[arg(long, value_name = "DIRECTORY", default_value = "/usr/local")]
    prefix: PathBuf,
    /// Where configuration goes, and is read by what is built here [default: /etc]
    #[arg(long, value_name = "DIRECTORY")]
    sysconfdir: Option<PathBuf>,
    /// Where PAM looks for modules [default: where this machine's pam_unix.so is]
    #[arg(long, value_name = "DIRECTORY")]
    pamdir: Option<PathBuf>,
    /// Put everything below this directory, for a package or another machine
    #[arg(long, value_name = "DIRECTORY")]
    destdir: Option<PathBuf>,
    /// The init that starts usherd [default: the one of this machine; none with --destdir]
    #[arg(long, value_name = "NAME", value_parser = ["openrc", "runit", "s6", "dinit", "sysvinit", "systemd", "none"])]
    init: Option<String>,
    /// Take programs from this directory and build nothing
    #[arg(long, value_name = "DIRECTORY")]
    bin_dir: Option<PathBuf>,
    /// Say what would be done, and do nothing
    #[arg(long)]
    dry_run: bool,
}

/// The programs, by package.
const PACKAGES: [&str; 5] =
    ["usher-broker", "usher-client", "usher-user-manager", "usher-pam-module", "usher-pam-setup"];

/// Builds and installs.
pub(crate) fn install(options: &Options) -> Result<ExitCode> {
    let layout = options.layout()?;
    let target = Target::new(options.destdir.as_deref())?;
    let programs = match &options.bin_dir {
        Some(directory) => directory.clone(),
        None => build(&layout)?,
    };
    let items = table::items(&layout, &programs, &layout::tree())?;
    let directories = items.iter().filter_map(|item| item.target.parent());
    if let Some(code) = options.as_root("install", Some(&programs), &target, directories)? {
        return Ok(code);
    }
    install_items(&items, &layout, &target, options.dry_run)?;
    if options.destdir.is_none() && !options.dry_run {
        println!("{}", what_is_left(&layout));
    }
    Ok(ExitCode::SUCCESS)
}

/// Removes what was installed.
pub(crate) fn uninstall(options: &Options) -> Result<ExitCode> {
    let layout = options.layout()?;
    let target = Target::new(options.destdir.as_deref())?;
    let place = manifest_path(&layout);
    let Some(lines) = last_manifest(&layout, &target)? else {
        bail!(
            "there is no {}: nothing was installed with these options (or it was a package, which the package manager \
             removes)",
            target.at(&place).display()
        );
    };
    pam::refuse_while_in_use(&target, &layout, &lines)?;
    let directories = lines.iter().filter_map(|line| line.path.parent());
    if let Some(code) = options.as_root("uninstall", None, &target, directories)? {
        return Ok(code);
    }
    remove_lines(&lines.iter().collect::<Vec<_>>(), &target, options.dry_run)?;
    if !options.dry_run {
        target.remove(&place)?;
    }
    let directories = lines.iter().filter(|line| line.what == What::Directory);
    for line in directories.rev().filter(|_| !options.dry_run) {
        target.remove_directory(&line.path)?;
    }
    Ok(ExitCode::SUCCESS)
}

impl Options {
    fn layout(&self) -> Result<Layout> {
        let init = match self.init.as_deref() {
            Some("none") => None,
            Some(name) => Some(Init::from_str(name, false).map_err(|why| anyhow::anyhow!("--init: {why}"))?),
            None if self.destdir.is_some() => None,
            None => {
                let init = Init::of_machine(Path::new("/"));
                match init {
                    Some(init) => {
                        println!("This machine's init is {init:?}: its definition of usherd is included.")
                    }
                    None => println!(
                        "This machine's init is none that usher knows: choose one with --init, or start usherd yourself."
                    ),
                }
                init
            }
        };
        Layout::new(
            self.prefix.clone(),
            self.sysconfdir.clone(),
            self.pamdir.clone(),
            init.into_iter().collect(),
        )
    }

    /// Lets root do it where the caller may not: everything is built by now. `None`: go on.
    fn as_root<'a>(
        &self,
        task: &str,
        programs: Option<&Path>,
        target: &Target,
        mut directories: impl Iterator<Item = &'a Path>,
    ) -> Result<Option<ExitCode>> {
        if self.dry_run {
            return Ok(None);
        }
        let Err(error) = directories.try_for_each(|directory| target.check_writable(directory)) else {
            return Ok(None);
        };
        if root::are_we() || self.destdir.is_some() {
            return Err(error);
        }
        root::ask("files of the system are written").with_context(|| format!("{error:#}"))?;
        let mut words: Vec<OsString> = vec![task.into()];
        let mut option = |name: &str, value: Option<&Path>| {
            if let Some(value) = value {
                words.extend([name.into(), value.into()]);
            }
        };
        option("--prefix", Some(&self.prefix));
        option("--sysconfdir", self.sysconfdir.as_deref());
        option("--pamdir", self.pamdir.as_deref());
        option("--init", self.init.as_deref().map(Path::new));
        option("--bin-dir", programs);
        let program = std::env::current_exe().context("find this program")?;
        root::rerun(&program, &words).map(Some)
    }
}

/// Builds the programs for release, and says where they are.
pub(crate) fn build(layout: &Layout) -> Result<PathBuf> {
    println!("Building usher for release (the first time takes a few minutes) …");
    let mut command = cargo::command(&["build", "--release", "--locked"]);
    command.args(PACKAGES.iter().flat_map(|package| ["--package", package]));
    if layout.sysconfdir != Path::new("/etc") {
        command.env("USHER_SYSCONFDIR", &layout.sysconfdir);
    }
    cargo::succeed(&mut command)?;
    Ok(cargo::target_dir()?.join("release"))
}

/// Puts everything in place and writes the manifest.
fn install_items(items: &[Item], layout: &Layout, target: &Target, dry_run: bool) -> Result<()> {
    let last = last_manifest(layout, target)?.unwrap_or_default();
    let mut steps = Vec::new();
    let mut lines = Vec::new();
    let mut obstacles = Vec::new();
    for item in items {
        let found = target.find(&item.target, item.kind == Kind::Link)?;
        match plan::step(item, item.bytes()?, &found, target.mode(&item.target), &last) {
            Ok((step, new)) => {
                steps.push(step);
                lines.extend(new);
            }
            Err(obstacle) => obstacles.push(obstacle),
        }
    }
    if !obstacles.is_empty() {
        bail!(
            "nothing is installed:\n  {}\nRemove or divert these, or choose another --prefix",
            obstacles.join("\n  ")
        );
    }
    let mut directories: Vec<Line> =
        last.iter().filter(|line| line.what == What::Directory).cloned().collect();
    for step in steps {
        carry_out(step, target, dry_run, &mut directories)?;
    }
    remove_lines(&plan::leftovers(&last, &lines), target, dry_run)?;
    if dry_run {
        return Ok(());
    }
    let place = manifest_path(layout);
    make_parent(&place, target, &mut directories)?;
    directories.extend(lines);
    let text = manifest::written(&directories);
    if target.find(&place, false)? != Found::File(text.as_bytes().to_vec()) {
        target.put(&place, text.as_bytes(), 0o644)?;
    }
    Ok(())
}

fn carry_out(step: Step, target: &Target, dry_run: bool, directories: &mut Vec<Line>) -> Result<()> {
    let mut directory = |path: &Path| if dry_run { Ok(()) } else { make_parent(path, target, directories) };
    match step {
        Step::Put { path, bytes, mode } => {
            println!("install {mode:04o} {}", target.at(&path).display());
            directory(&path)?;
            if !dry_run {
                target.put(&path, &bytes, mode)?;
            }
        }
        Step::Link { path, target: to } => {
            println!("link         {} -> {}", target.at(&path).display(), to.display());
            directory(&path)?;
            if !dry_run {
                target.link(&path, &to)?;
            }
        }
        Step::Keep { .. } => {}
        Step::Theirs { path } => {
            println!("left alone   {}: another package's, and as good", target.at(&path).display());
        }
        Step::Beside { path, new, bytes, mode } => {
            println!(
                "left alone   {}: it was changed; what usher comes with is in {}",
                target.at(&path).display(),
                target.at(&new).display()
            );
            if !dry_run && target.find(&new, false)? != Found::File(bytes.clone()) {
                target.put(&new, &bytes, mode)?;
            }
        }
    }
    Ok(())
}

fn make_parent(path: &Path, target: &Target, directories: &mut Vec<Line>) -> Result<()> {
    let parent = path.parent().context("an installed file is in no directory")?;
    let made = target.make_directory(parent)?;
    directories.extend(made.into_iter().map(|path| Line { path, what: What::Directory }));
    Ok(())
}

/// Removes files and links that are still as they were installed, and names the others.
fn remove_lines(lines: &[&Line], target: &Target, dry_run: bool) -> Result<()> {
    for line in lines.iter().filter(|line| line.what != What::Directory) {
        let found = target.find(&line.path, matches!(line.what, What::Link(_)))?;
        let shown = target.at(&line.path);
        if found == Found::Nothing {
            continue;
        }
        if !plan::untouched(line, &found) {
            println!("left alone   {}: it was changed", shown.display());
            continue;
        }
        println!("remove       {}", shown.display());
        if !dry_run {
            target.remove(&line.path)?;
        }
    }
    Ok(())
}

fn last_manifest(layout: &Layout, target: &Target) -> Result<Option<Vec<Line>>> {
    let place = manifest_path(layout);
    match target.find(&place, false)? {
        Found::Nothing => Ok(None),
        Found::File(bytes) => {
            let text = String::from_utf8_lossy(&bytes);
            let read = manifest::read(&text);
            Ok(Some(read.with_context(|| format!("read {}", target.at(&place).display()))?))
        }
        _ => bail!("{} is not a file", target.at(&place).display()),
    }
}

/// Where it is written down what was installed.
fn manifest_path(layout: &Layout) -> PathBuf {
    layout.prefix.join("lib/usher/manifest")
}

/// What an installation does not do by itself: it changes how people log in.
fn what_is_left(layout: &Layout) -> String {
    let start = match layout.inits.first() {
        Some(Init::Openrc) => "rc-update add usherd default && rc-service usherd start",
        Some(Init::Runit) => "ln -s /etc/sv/usherd /var/service/ (or where your runsvdir looks)",
        Some(Init::S6) => "add usherd to your s6-rc database, or to your scan directory",
        Some(Init::Dinit) => "dinitctl enable usherd",
        Some(Init::Sysvinit) => "update-rc.d usherd defaults && service usherd start",
        Some(Init::Systemd) => "systemctl enable usherd && reboot",
        None => "run it from your init, as root and in the foreground",
    };
    let program = |path: &str| layout.prefix.join(path).display().to_string();
    format!(
        "\nInstalled. Three things are left, as root, with a root shell kept open meanwhile:\n  \
         1. start usherd, at every boot:  {start}\n  \
         2. let logins be registered:     {} install   (--dry-run shows what it would change)\n  \
         3. see that all is well:         {} doctor",
        program("sbin/usher-pam-setup"),
        program("bin/usherctl"),
    )
}
