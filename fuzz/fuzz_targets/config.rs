//! usher.conf and logind.conf with their drop-ins.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    usher_broker::fuzzing::config(bytes);
});
