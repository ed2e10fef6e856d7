//! Bytes from a peer: frames, envelopes, every message, identifiers.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    usher_protocol::fuzzing::codec(bytes);
});
