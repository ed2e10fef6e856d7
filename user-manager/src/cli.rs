//! What usherd says: whose manager, where, and which program.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Parser;

/// Becomes a user's service manager. Started by usherd, as root; of no use by hand.
#[derive(Debug, Parser)]
#[command(name = "usher-user-manager", version)]
pub(crate) struct Arguments {
    /// The user's uid
    #[arg(long)]
    pub(crate) uid: u32,
    /// The user's primary group
    #[arg(long)]
    pub(crate) gid: u32,
    /// The user's name
    #[arg(long)]
    pub(crate) name: String,
    /// The home directory
    #[arg(long)]
    pub(crate) home: PathBuf,
    /// The login shell
    #[arg(long)]
    pub(crate) shell: PathBuf,
    /// The cgroup to join: a directory below the cgroup2 mount, prepared by usherd
    #[arg(long)]
    pub(crate) cgroup: Option<PathBuf>,
    /// The runtime directory, /run/user/UID
    #[arg(long)]
    pub(crate) runtime_dir: PathBuf,
    /// The socket for readiness notifications
    #[arg(long)]
    pub(crate) notify_socket: PathBuf,
    /// Do nothing until usherd has written down that this process is the user's manager: it says so with one byte on
    /// standard input. If usherd dies before that, nobody would know of the manager, so there is none
    #[arg(long)]
    pub(crate) await_go_ahead: bool,
    /// Show the program a /run/systemd/system of its own where the machine has none
    #[arg(long)]
    pub(crate) private_boot_marker: bool,
    /// The program to become, and its arguments
    #[arg(last = true, required = true, num_args = 1..)]
    pub(crate) program: Vec<OsString>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(words: &str) -> Result<Arguments, clap::Error> {
        Arguments::try_parse_from(words.split_ascii_whitespace())
    }

    const USER: &str = "usher-user-manager --uid 1000 --gid 100 --name alice --home /home/alice --shell /bin/sh \
                        --runtime-dir /run/user/1000 --notify-socket /run/usher/notify/1000";

    #[test]
    fn everything_after_the_dashes_is_the_programs() {
        let arguments = parse(&format!("{USER} -- /usr/lib/systemd/systemd --user --uid 7"));
        let arguments = arguments.unwrap_or_else(|e| unreachable!("{e}"));
        assert_eq!(arguments.program, ["/usr/lib/systemd/systemd", "--user", "--uid", "7"]);
        assert_eq!((arguments.uid, arguments.cgroup, arguments.private_boot_marker), (1000, None, false));
    }

    #[test]
    fn a_program_is_needed() {
        assert!(parse(USER).is_err());
        assert!(parse(&format!("{USER} --")).is_err());
        assert!(parse(&format!("{USER} /bin/true")).is_err(), "without the dashes");
        assert!(parse(&format!("{USER} --uid -1 -- /bin/true")).is_err());
    }
}
