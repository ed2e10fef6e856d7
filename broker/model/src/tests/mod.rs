//! The model in a world of its own: scenarios, one a rule, and random histories.

mod histories;
mod scenarios;
mod world;
