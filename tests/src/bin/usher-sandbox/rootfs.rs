//! The machine's file system tree.
//!
//! | path | what |
//! |---|---|
//! | `/` | the host's root file system, read-only, without the host's other mounts |
//! | `/etc` `/usr` `/var` | overlays: the host's content below, a tmpfs above |
//! | `/run` `/tmp` `/home` `/root` `/var/log` | empty tmpfs |
//! | `/proc` `/sys` `/sys/fs/cgroup` | new instances for the machine's namespaces; sysfs read-only unless asked for |
//! | `/dev` | tmpfs with the harmless devices, the virtual terminals, a devpts of its own |
//!
//! It becomes the root by pivot_root(2), so that the mount table holds nothing of the host.

use std::fs;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use rustix::fs::CWD;
use rustix::mount::{MoveMountFlags, OpenTreeFlags, move_mount, open_tree};
use usher_tests::spec::{Artefact, Spec};

/// Where the tree is put together; hidden again by pivot_root(2).
const SCRATCH: &str = "/tmp";
const OVERLAYS: [&str; 3] = ["etc", "usr", "var"];
/// Empty directories, with their modes.
const FRESH: [(&str, &str); 5] =
    [("run", "0755"), ("tmp", "1777"), ("home", "0755"), ("root", "0700"), ("var/log", "0755")];
/// Bound from the host; those after `tty` only where the host has them.
const DEVICES: [&str; 6] = ["null", "zero", "full", "random", "urandom", "tty"];
const OPTIONAL_DEVICES: [&str; 1] = ["fuse"];
const LAST_VT: u32 = 12;

/// Makes the tree and changes into it.
pub(crate) fn enter(spec: &Spec) -> Result<()> {
    // Before anything else, or the host would see every mount.
    change("/", MsFlags::MS_REC | MsFlags::MS_PRIVATE)
        .context("keep mounts from the host (in a chroot: `mount --bind DIR DIR` before entering it)")?;
    // Taken before the scratch directory covers what may hold them.
    let programs = spec.artefacts.iter().map(detached).collect::<Result<Vec<_>>>()?;
    tmpfs(Path::new(SCRATCH), "0755")?;
    let root = Path::new(SCRATCH).join("root");
    mkdir(&root)?;
    bind(Path::new("/"), &root)?;
    for name in OVERLAYS {
        overlay(name, &root.join(name))?;
    }
    for (name, mode) in FRESH {
        tmpfs(&root.join(name), mode)?;
    }
    kernel(&root, spec)?;
    devices(&root.join("dev"), spec.terminals)?;
    for (artefact, program) in spec.artefacts.iter().zip(programs) {
        install(&root, artefact, &program)?;
    }
    let read_only = MsFlags::MS_REMOUNT | MsFlags::MS_BIND | MsFlags::MS_RDONLY;
    change(&root, read_only)?;
    pivot(&root)?;
    if spec.shared_mounts {
        change("/", MsFlags::MS_REC | MsFlags::MS_SHARED)?;
    }
    Ok(())
}

fn detached(artefact: &Artefact) -> Result<OwnedFd> {
    let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
    open_tree(CWD, &artefact.source, flags)
        .with_context(|| format!("open {} as a mount (needs Linux 5.2)", artefact.source.display()))
}

/// Puts a program in its place: an empty file there, the mount over it.
fn install(root: &Path, artefact: &Artefact, program: &OwnedFd) -> Result<()> {
    let target = within(root, &artefact.target);
    if let Some(parent) = target.parent() {
        fs::create_dir_all(parent).with_context(|| format!("make {}", parent.display()))?;
    }
    fs::write(&target, "").with_context(|| format!("make the empty file {}", target.display()))?;
    move_mount(program, c"", CWD, &target, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)
        .with_context(|| format!("mount {} on {}", artefact.source.display(), artefact.target.display()))
}

/// The overlay keeps its upper layer alive by itself after the scratch tmpfs has gone.
fn overlay(name: &str, target: &Path) -> Result<()> {
    let layers = Path::new(SCRATCH).join("layers").join(name);
    let (upper, work) = (layers.join("upper"), layers.join("work"));
    mkdir(&upper)?;
    mkdir(&work)?;
    let options = format!("lowerdir=/{name},upperdir={},workdir={}", upper.display(), work.display());
    mount(Some("overlay"), target, Some("overlay"), MsFlags::empty(), Some(options.as_str())).with_context(
        || {
            format!(
                "mount an overlay on /{name}: the kernel needs overlayfs (`modprobe overlay` on the host)"
            )
        },
    )
}

fn kernel(root: &Path, spec: &Spec) -> Result<()> {
    let safe = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    new("proc", &root.join("proc"), safe, None)?;
    // A sysfs belongs to a network namespace; the host's cannot be shown here.
    let access = |readonly| if readonly { MsFlags::MS_RDONLY } else { MsFlags::empty() };
    new("sysfs", &root.join("sys"), safe | access(!spec.sysfs_writable), None)?;
    new("cgroup2", &root.join("sys/fs/cgroup"), safe | access(spec.cgroup_readonly), None)?;
    let terminals = root.join("sys/devices/virtual/tty");
    // What links there from /sys/class/tty then leads nowhere.
    if spec.terminals || !terminals.exists() { Ok(()) } else { tmpfs(&terminals, "0755") }
}

fn devices(dev: &Path, terminals: bool) -> Result<()> {
    tmpfs(dev, "0755")?;
    for name in DEVICES {
        device(dev, name)?;
    }
    let terminals = (0..=LAST_VT).filter(|_| terminals).map(|n| format!("tty{n}"));
    for name in OPTIONAL_DEVICES.into_iter().map(str::to_owned).chain(terminals) {
        if Path::new("/dev").join(&name).exists() {
            device(dev, &name)?;
        }
    }
    for name in ["pts", "shm", "mqueue"] {
        mkdir(&dev.join(name))?;
    }
    let safe = MsFlags::MS_NOSUID | MsFlags::MS_NOEXEC;
    new("devpts", &dev.join("pts"), safe, Some("newinstance,ptmxmode=0666,mode=0620,gid=5"))?;
    tmpfs(&dev.join("shm"), "1777")?;
    new("mqueue", &dev.join("mqueue"), safe | MsFlags::MS_NODEV, None)?;
    for (link, target) in [
        ("ptmx", "pts/ptmx"),
        ("fd", "/proc/self/fd"),
        ("stdin", "/proc/self/fd/0"),
        ("stdout", "/proc/self/fd/1"),
        ("stderr", "/proc/self/fd/2"),
    ] {
        symlink(target, dev.join(link)).with_context(|| format!("link /dev/{link}"))?;
    }
    Ok(())
}

fn device(dev: &Path, name: &str) -> Result<()> {
    let target = dev.join(name);
    fs::write(&target, "").with_context(|| format!("make the empty file {}", target.display()))?;
    bind(&Path::new("/dev").join(name), &target)
}

fn pivot(root: &Path) -> Result<()> {
    std::env::set_current_dir(root).with_context(|| format!("change into {}", root.display()))?;
    // Both names the same: the old root is then mounted over the new one, and unmounting takes it away; pivot_root(2).
    nix::unistd::pivot_root(".", ".").context("make the new tree the root with pivot_root")?;
    umount2(".", MntFlags::MNT_DETACH).context("unmount the host's tree")?;
    std::env::set_current_dir("/").context("change into the new root")
}

/// `target` below `root`; the directories that Debian has merged into `/usr` are relative links and work unchanged.
fn within(root: &Path, target: &Path) -> PathBuf {
    root.join(target.strip_prefix("/").unwrap_or(target))
}

fn mkdir(path: &Path) -> Result<()> {
    fs::create_dir_all(path).with_context(|| format!("make {}", path.display()))?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755))
        .with_context(|| format!("chmod {}", path.display()))
}

fn tmpfs(target: &Path, mode: &str) -> Result<()> {
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
    new("tmpfs", target, flags, Some(&format!("mode={mode}")))
}

fn new(fs_type: &str, target: &Path, flags: MsFlags, options: Option<&str>) -> Result<()> {
    if !target.is_dir() {
        bail!("mount {fs_type} on {}: there is no such directory", target.display());
    }
    mount(Some(fs_type), target, Some(fs_type), flags, options)
        .with_context(|| format!("mount {fs_type} on {} with options {options:?}", target.display()))
}

fn bind(source: &Path, target: &Path) -> Result<()> {
    mount(Some(source), target, None::<&str>, MsFlags::MS_BIND, None::<&str>)
        .with_context(|| format!("bind {} to {}", source.display(), target.display()))
}

fn change(target: impl AsRef<Path>, flags: MsFlags) -> Result<()> {
    let target = target.as_ref();
    mount(None::<&str>, target, None::<&str>, flags, None::<&str>)
        .with_context(|| format!("change the mount {} to {flags:?}", target.display()))
}
