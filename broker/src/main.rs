//! usherd: arguments, logging, the order of things at start, readiness, exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    usher_broker::main()
}
