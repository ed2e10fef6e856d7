//! Texts of /proc and cgroupfs, notifications, lookups' answers.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    usher_broker::fuzzing::cgroup_paths(bytes);
});
