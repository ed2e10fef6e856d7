//! A user's file, and a seat's.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    usher_broker::fuzzing::state_user(bytes);
});
