//! The module against a table instead of libpam and a socket instead of usherd.

mod closing;
mod derivation;
mod fake_broker;
mod fake_pam;
mod hostile;
mod opening;
