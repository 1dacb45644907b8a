//! hostnet with every sink that it can be built with; users get it without some of them.

use std::process::ExitCode;

fn main() -> ExitCode {
    hostnet::cli::main()
}
