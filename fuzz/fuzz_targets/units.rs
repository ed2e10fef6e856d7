//! Drop-ins of user@.service and user-.slice, and definitions of user managers.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    usher_broker::fuzzing::units(bytes);
});
