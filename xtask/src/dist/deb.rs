//! The Debian package: the installation staged with prefix /usr, as Debian wants it, and dpkg-deb.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::{control, output};
use crate::install::layout::{Init, Layout, tree};
use crate::install::table::{self, Item, Kind};

/// What of the table is not in the package.
const LEFT_OUT: [&str; 2] = [
    // Of use to `systemd --user` only, and that is in systemd's package, with a file of this name that permits as much.
    "/usr/share/dbus-1/system.d/org.freedesktop.systemd1.conf",
    // Debian has a changelog of its own format, and this one is it then.
    "/usr/share/doc/usher/CHANGELOG.md",
];

/// What Debian has elsewhere.
const MOVED: [(&str, &str); 2] = [
    ("/usr/share/zsh/site-functions", "/usr/share/zsh/vendor-completions"),
    // In /etc it would stay when the package is removed, and keep the managers of whoever comes after from having pam_systemd.
    ("/etc/pam.d/systemd-user", "/usr/lib/pam.d/systemd-user"),
];

/// Maintainer scripts.
const SCRIPTS: [&str; 4] = ["preinst", "postinst", "prerm", "postrm"];

/// As packages have it, for every init of Debian.
pub(super) fn layout(pamdir: Option<PathBuf>) -> Result<Layout> {
    Layout::new("/usr".into(), None, pamdir, vec![Init::Sysvinit, Init::Runit, Init::Systemd])
}

/// Makes the package from programs that are built.
pub(super) fn make(layout: &Layout, programs: &Path, directory: &Path, epoch: u64) -> Result<PathBuf> {
    let debian = tree().join("packaging/debian");
    let stage = directory.join("stage");
    if stage.exists() {
        fs::remove_dir_all(&stage).with_context(|| format!("remove {}", stage.display()))?;
    }
    let mut configuration = String::new();
    for item in table::items(layout, programs, &tree())? {
        let target = place(&item).display().to_string();
        if LEFT_OUT.contains(&target.as_str()) {
            continue;
        }
        if item.kind == Kind::Configuration && target.starts_with("/etc/") {
            configuration += &format!("{target}\n");
        }
        put(&stage, &item)?;
    }
    let doc = stage.join("usr/share/doc/usher");
    write(&doc.join("copyright"), &read(&debian.join("copyright"))?, 0o644)?;
    write(&doc.join("changelog"), &read(&tree().join("CHANGELOG.md"))?, 0o644)?;
    write(&doc.join("changelog.Debian"), &read(&debian.join("changelog"))?, 0o644)?;
    for name in ["changelog", "changelog.Debian"] {
        compress(&doc.join(name))?;
    }
    write(
        &stage.join("usr/share/lintian/overrides/usher"),
        &read(&debian.join("lintian-overrides"))?,
        0o644,
    )?;
    for directory in
        ["etc/usher/usher.conf.d", "etc/usher/managers", "etc/usher/hooks.d", "usr/lib/usher/hooks.d"]
    {
        make_directory(&stage.join(directory))?;
    }

    let changelog =
        String::from_utf8(read(&debian.join("changelog"))?).context("read the Debian changelog")?;
    let (version, maintainer) = control::from_changelog(&changelog)?;
    let architecture = output(Command::new("dpkg").arg("--print-architecture"))?.trim().to_owned();
    let values = BTreeMap::from([
        ("version", version.clone()),
        ("architecture", architecture.clone()),
        ("maintainer", maintainer),
        ("homepage", env!("CARGO_PKG_REPOSITORY").to_owned()),
        ("installed-size", kibibytes(&stage)?.to_string()),
        ("shlibs:Depends", depends(&stage, directory)?),
    ]);
    let sums = md5sums(&stage)?;
    let meta = stage.join("DEBIAN");
    let template =
        String::from_utf8(read(&debian.join("control"))?).context("read packaging/debian/control")?;
    write(&meta.join("control"), control::filled(&template, &values)?.as_bytes(), 0o644)?;
    write(&meta.join("conffiles"), configuration.as_bytes(), 0o644)?;
    write(&meta.join("md5sums"), sums.as_bytes(), 0o644)?;
    for name in SCRIPTS {
        write(&meta.join(name), &read(&debian.join(name))?, 0o755)?;
    }

    let package = directory.join(format!("usher_{version}_{architecture}.deb"));
    set_times(&stage, epoch)?;
    let mut build = Command::new("dpkg-deb");
    build.env("SOURCE_DATE_EPOCH", epoch.to_string());
    output(build.args(["--root-owner-group", "-Zxz", "--build"]).arg(&stage).arg(&package))?;
    Ok(package)
}

/// One file as Debian has it: manuals and what is long are compressed.
/// Where Debian has it.
fn place(item: &Item) -> PathBuf {
    let moved = MOVED.iter().find_map(|(from, to)| {
        let rest = item.target.strip_prefix(from).ok()?;
        Some(if rest.as_os_str().is_empty() { to.into() } else { Path::new(to).join(rest) })
    });
    moved.unwrap_or_else(|| item.target.clone())
}

fn put(stage: &Path, item: &Item) -> Result<()> {
    let target = place(item);
    let place = stage.join(target.strip_prefix("/").unwrap_or(&target));
    if item.kind == Kind::Link {
        make_directory(place.parent().unwrap_or(stage))?;
        let mut ends = [item.source.clone().into_os_string(), place.into_os_string()];
        if item.target.starts_with("/usr/share/man") {
            ends.iter_mut().for_each(|end| end.push(".gz"));
        }
        let [source, place] = ends.map(PathBuf::from);
        return symlink(&source, &place).with_context(|| format!("make the link {}", place.display()));
    }
    let bytes = item.bytes()?;
    write(&place, &bytes, item.mode)?;
    let manual = item.target.starts_with("/usr/share/man");
    let long = item.target.starts_with("/usr/share/doc") && bytes.len() > 4096;
    if manual || long { compress(&place) } else { Ok(()) }
}

fn compress(path: &Path) -> Result<()> {
    output(Command::new("gzip").args(["--no-name", "--best", "--force"]).arg(path)).map(drop)
}

/// The libraries that the programs are linked with, as dependencies.
fn depends(stage: &Path, directory: &Path) -> Result<String> {
    // The tool wants to run in a source package.
    let place = directory.join("shlibs");
    write(&place.join("debian/control"), b"Source: usher\n\nPackage: usher\nArchitecture: any\n", 0o644)?;
    let mut command = Command::new("dpkg-shlibdeps");
    command.arg("-O").current_dir(&place);
    for path in
        files(stage)?.into_iter().filter(|path| read(path).is_ok_and(|bytes| bytes.starts_with(b"\x7fELF")))
    {
        command.arg("-e").arg(path);
    }
    let text = output(&mut command).context("the package dpkg-dev has dpkg-shlibdeps")?;
    fs::remove_dir_all(&place).with_context(|| format!("remove {}", place.display()))?;
    let depends = text.lines().find_map(|line| line.strip_prefix("shlibs:Depends="));
    depends.map(str::to_owned).context("dpkg-shlibdeps names no dependencies")
}

fn md5sums(stage: &Path) -> Result<String> {
    let names: Vec<_> = files(stage)?
        .iter()
        .map(|path| path.strip_prefix(stage).map(Path::to_owned))
        .collect::<Result<_, _>>()?;
    output(Command::new("md5sum").args(names).current_dir(stage))
}

/// Debian Policy 5.6.20: files in whole kibibytes, one for everything else.
fn kibibytes(stage: &Path) -> Result<u64> {
    let mut sum = 0;
    for path in everything(stage)? {
        let metadata = path.symlink_metadata().with_context(|| format!("look at {}", path.display()))?;
        sum += if metadata.is_file() { metadata.len().div_ceil(1024) } else { 1 };
    }
    Ok(sum)
}

fn set_times(stage: &Path, epoch: u64) -> Result<()> {
    // Directories after what is in them.
    for path in everything(stage)?.iter().rev() {
        output(
            Command::new("touch").args(["--no-dereference", "--date"]).arg(format!("@{epoch}")).arg(path),
        )?;
    }
    Ok(())
}

/// Files below a directory, sorted.
fn files(directory: &Path) -> Result<Vec<PathBuf>> {
    let mut all = everything(directory)?;
    all.retain(|path| path.symlink_metadata().is_ok_and(|metadata| metadata.is_file()));
    Ok(all)
}

/// Everything below a directory and itself, sorted.
fn everything(directory: &Path) -> Result<Vec<PathBuf>> {
    let mut found = vec![directory.to_owned()];
    let mut pending = vec![directory.to_owned()];
    while let Some(directory) = pending.pop() {
        for entry in directory.read_dir().with_context(|| format!("list {}", directory.display()))? {
            let entry = entry.with_context(|| format!("list {}", directory.display()))?;
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                pending.push(entry.path());
            }
            found.push(entry.path());
        }
    }
    found.sort();
    Ok(found)
}

fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("read {}", path.display()))
}

fn write(path: &Path, bytes: &[u8], mode: u32) -> Result<()> {
    make_directory(path.parent().unwrap_or(Path::new("/")))?;
    fs::write(path, bytes).with_context(|| format!("write {}", path.display()))?;
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
        .with_context(|| format!("chmod {}", path.display()))
}

/// Makes directories that everybody may look into, whatever the caller's umask is.
fn make_directory(path: &Path) -> Result<()> {
    let missing: Vec<_> = path.ancestors().take_while(|path| !path.is_dir()).collect();
    for path in missing.into_iter().rev() {
        fs::create_dir(path).with_context(|| format!("make {}", path.display()))?;
        fs::set_permissions(path, fs::Permissions::from_mode(0o755))
            .with_context(|| format!("chmod {}", path.display()))?;
    }
    Ok(())
}
