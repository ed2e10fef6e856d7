//! The model in a world of its own: scenarios, one a rule; random histories; crashes at every effect; and histories that
//! have failed once.

mod crashes;
mod histories;
mod regressions;
mod scenarios;
mod steps;
mod tables;
mod world;
