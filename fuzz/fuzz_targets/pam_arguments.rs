//! The module's arguments, PAM's items and both environments, and what becomes of them. The module is a shared object,
//! which cannot be linked to, so its files are compiled in, all but the one that talks to libpam.

#![no_main]
// What only the hooks use.
#![allow(dead_code)]

#[path = "../../pam-module/src/arguments.rs"]
mod arguments;
#[path = "../../pam-module/src/broker.rs"]
mod broker;
#[path = "../../pam-module/src/derive.rs"]
mod derive;
#[path = "../../pam-module/src/display.rs"]
mod display;
#[path = "../../pam-module/src/documented.rs"]
mod documented;
#[path = "../../pam-module/src/fuzzing.rs"]
mod fuzzing;
#[path = "../../pam-module/src/inputs.rs"]
mod inputs;
#[path = "../../pam-module/src/open.rs"]
mod open;
#[path = "../../pam-module/src/pam.rs"]
mod pam;
#[path = "../../pam-module/src/runtime_dir.rs"]
mod runtime_dir;
#[path = "../../pam-module/src/text.rs"]
mod text;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    fuzzing::pam_arguments(bytes);
});
