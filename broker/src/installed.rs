//! Where usher is installed. What comes with the program is found from where the program itself is, so that one build
//! works below any prefix; what belongs to the administrator is in /etc, or where the build was told.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

/// What the administrator's directory `usher` is in: USHER_SYSCONFDIR when usherd was built (`cargo xtask install
/// --sysconfdir`), else /etc.
pub(crate) const SYSCONFDIR: &str = match option_env!("USHER_SYSCONFDIR") {
    Some(directory) => directory,
    None => "/etc",
};

/// `PREFIX/lib/usher`. Asked once: the program's file may be replaced while it runs.
static LIBDIR: LazyLock<PathBuf> = LazyLock::new(|| {
    let program = std::env::current_exe();
    below_prefix(program.as_deref().unwrap_or(Path::new("")))
});

/// A path below the administrator's `/etc/usher`.
pub(crate) fn etc(path: &str) -> PathBuf {
    Path::new(SYSCONFDIR).join("usher").join(path)
}

/// A path below `PREFIX/lib/usher`: programs and data that come with usher, and what distributions put beside them.
pub(crate) fn lib(path: &str) -> PathBuf {
    LIBDIR.join(path)
}

/// `lib/usher` beside the `sbin` or `bin` that a program is in. A program anywhere else (a build directory) is not
/// installed, and belongs to what is installed in /usr.
fn below_prefix(program: &Path) -> PathBuf {
    let directory = program.parent().unwrap_or(Path::new(""));
    let prefix = match directory.file_name() {
        Some(name) if name == "sbin" || name == "bin" => directory.parent(),
        _ => None,
    };
    prefix
        .filter(|prefix| prefix.is_absolute() && *prefix != Path::new("/"))
        .unwrap_or(Path::new("/usr"))
        .join("lib/usher")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_belongs_to_a_program_is_beside_it() {
        for (program, lib) in [
            ("/usr/sbin/usherd", "/usr/lib/usher"),
            ("/usr/bin/usherd", "/usr/lib/usher"),
            ("/usr/local/sbin/usherd", "/usr/local/lib/usher"),
            ("/opt/usher/bin/usherd", "/opt/usher/lib/usher"),
            // Where / and /usr are one, and the link was not followed.
            ("/sbin/usherd", "/usr/lib/usher"),
            ("/home/me/usher/target/debug/usherd", "/usr/lib/usher"),
            ("", "/usr/lib/usher"),
        ] {
            assert_eq!(below_prefix(Path::new(program)), Path::new(lib), "{program}");
        }
    }
}
