//! What has to be true of usherd's readers for any bytes whatever. Called by the fuzz targets of the same names, and by a
//! test with the seeds and with all that the fuzzer has ever found. Each says whether the bytes meant something.

mod config;
mod kernel;
mod state;
mod units;

pub use config::config;
pub use kernel::cgroup_paths;
pub use state::{state_session, state_user};
pub use units::units;

#[cfg(test)]
mod tests {
    use std::path::Path;

    /// How many of `fuzz/seeds/TARGET` and `fuzz/found/TARGET` mean something. None may do harm.
    fn replay(target: &str, run: impl Fn(&[u8]) -> bool) -> usize {
        let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz");
        let directories = ["seeds", "found"].map(|kind| fuzz.join(kind).join(target));
        let entries = directories.iter().filter_map(|directory| std::fs::read_dir(directory).ok()).flatten();
        entries.filter(|entry| run(&std::fs::read(entry.as_ref().unwrap().path()).unwrap())).count()
    }

    #[test]
    fn seeds_and_found_cases() {
        assert!(replay("state_session", super::state_session) >= 2);
        assert!(replay("state_user", super::state_user) >= 2);
        assert!(replay("config", super::config) >= 2);
        assert!(replay("units", super::units) >= 4);
        assert!(replay("cgroup_paths", super::cgroup_paths) >= 4);
    }
}
