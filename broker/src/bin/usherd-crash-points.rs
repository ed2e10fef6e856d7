//! usherd that can be made to die at named points, for tests: see `broker/src/crash`.

use std::process::ExitCode;

fn main() -> ExitCode {
    usher_broker::main()
}
