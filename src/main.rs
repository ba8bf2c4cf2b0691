//! The command `patchcord`.

use std::{process::ExitCode, time::Instant};

fn main() -> ExitCode {
    let since = Instant::now();
    // For libraries that take the process's own; ours name theirs.
    rustls::crypto::aws_lc_rs::default_provider().install_default().ok();
    patchcord::cli::run(std::env::args_os(), since)
}
