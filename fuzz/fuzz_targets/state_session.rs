//! A session's file, and the escaping in it and in linger flags.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    usher_broker::fuzzing::state_session(bytes);
});
