//! What usherd says: whose manager, where, and which program.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Parser;

use crate::given::{Limit, VariablesFile};
use crate::readiness::ReadyBy;

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
    /// The socket for readiness notifications, for a program that uses sd_notify(3)
    #[arg(long)]
    pub(crate) notify_socket: Option<PathBuf>,
    /// When the manager is ready
    #[arg(long, default_value = "notify")]
    pub(crate) ready_by: ReadyBy,
    /// The FIFO through which usherd hears that it is
    #[arg(long)]
    pub(crate) ready_fifo: Option<PathBuf>,
    /// The file that appears then
    #[arg(long)]
    pub(crate) ready_file: Option<PathBuf>,
    /// Somebody else runs the manager: start nothing, wait until it is ready, and stay in its place
    #[arg(long, conflicts_with = "program")]
    pub(crate) external: bool,
    /// Open no PAM session: for a command that stops the manager, which has one
    #[arg(long)]
    pub(crate) no_session: bool,
    /// A variable of the environment that PAM modules see, NAME=VALUE
    #[arg(long)]
    pub(crate) setenv: Vec<OsString>,
    /// A file of such variables; with a dash in front of its path, it may be missing
    #[arg(long, allow_hyphen_values = true)]
    pub(crate) environment_file: Vec<VariablesFile>,
    /// A variable that the manager does not see, NAME or NAME=VALUE
    #[arg(long)]
    pub(crate) unsetenv: Vec<OsString>,
    /// A resource limit, NAME=SOFT:HARD
    #[arg(long)]
    pub(crate) limit: Vec<Limit>,
    /// The nice level
    #[arg(long, allow_hyphen_values = true)]
    pub(crate) nice: Option<i32>,
    /// The OOM score adjustment
    #[arg(long, allow_hyphen_values = true, default_value = "100")]
    pub(crate) oom_score_adjust: i32,
    /// The umask, in decimal digits
    #[arg(long, default_value = "18")]
    pub(crate) umask: u32,
    /// Do nothing until usherd has written down that this process is the user's manager: it says so with one byte on
    /// standard input. If usherd dies before that, nobody would know of the manager, so there is none
    #[arg(long)]
    pub(crate) await_go_ahead: bool,
    /// Show the program a /run/systemd/system of its own where the machine has none
    #[arg(long)]
    pub(crate) private_boot_marker: bool,
    /// The program to become, and its arguments
    #[arg(last = true, required_unless_present = "external", num_args = 1..)]
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
        assert!(parse(&format!("{USER} --external")).is_ok());
        assert!(parse(&format!("{USER} --external -- /bin/true")).is_err());
    }

    #[test]
    fn what_drop_ins_say() {
        let arguments = parse(&format!(
            "{USER} --nice -5 --limit NOFILE=1:2 --environment-file -/etc/a --setenv A=-b --oom-score-adjust -10 -- /bin/true"
        ));
        let arguments = arguments.unwrap_or_else(|e| unreachable!("{e}"));
        assert_eq!((arguments.nice, arguments.oom_score_adjust, arguments.umask), (Some(-5), -10, 0o022));
        assert_eq!((arguments.limit.len(), arguments.environment_file.len()), (1, 1));
        assert_eq!(arguments.setenv, ["A=-b"]);
    }
}
