//! The command line: reads the environment, sets up logs, and runs one command.

use std::{process::ExitCode, sync::Arc, time::Instant};

use anchorhold_channel::SecretSource;
use anchorhold_core::clock::{Clock, Entropy};
use anchorhold_host::{
    app::World,
    cli::{Cli, Environment},
    output,
};
use clap::Parser;
use jiff::Timestamp;
use rustix::rand::{GetRandomFlags, getrandom};

/// The one real clock.
struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the clock")]
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    #[expect(clippy::disallowed_methods, reason = "this is the clock")]
    fn mono(&self) -> Instant {
        Instant::now()
    }
}

/// The one real source of randomness.
struct SystemEntropy;

impl Entropy for SystemEntropy {
    fn bytes(&self) -> [u8; 10] {
        let mut bytes = [0; 10];
        let got = getrandom(&mut bytes, GetRandomFlags::empty());
        // So few bytes come whole, once the kernel has gathered randomness at boot.
        assert_eq!(got, Ok(bytes.len()), "the kernel gives random bytes");
        bytes
    }
}

fn main() -> ExitCode {
    let environment = Environment {
        docker_host: variable("DOCKER_HOST"),
        log: variable("ANCHORHOLD_LOG"),
    };
    let world = World {
        clock: Arc::new(SystemClock),
        entropy: Arc::new(SystemEntropy),
        secrets: Arc::new(SecretSource {
            env: Box::new(variable),
            file: Box::new(|path| std::fs::read_to_string(path)),
        }),
        boot: boot(),
    };
    let cli = Cli::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .max_blocking_threads(64)
        .enable_all()
        .build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(failure) => {
            output::note(&format!("error: can't start: {failure}"));
            return ExitCode::FAILURE;
        }
    };
    let done = runtime.block_on(cli.run(environment, world));
    // A line that is being read from a terminal must not hold the process back.
    runtime.shutdown_background();
    match done {
        Ok(code) => code,
        Err(failure) => {
            output::note(&format!("error: {failure:#}"));
            anchorhold_host::cli::code_of(&failure)
        }
    }
}

/// What Linux calls this start of the machine.
fn boot() -> Option<String> {
    let id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    Some(id.trim().to_owned()).filter(|id| !id.is_empty())
}

#[expect(
    clippy::disallowed_methods,
    reason = "the environment is read here and nowhere else"
)]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}
