//! What the library makes of the layouts of real distributions, and of nonsense.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod broken;
mod checks;
mod fixtures;
mod layouts;
mod lines;
mod packaged;
mod plans;
mod random;
