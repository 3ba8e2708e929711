//! The agent-runner's program: log, arguments, paths, session files, provider, loop, exit status.
//!
//! Under the name [`ADMIN_NAME`] it is the administration command instead, which agents run.

use std::{
    convert::Infallible,
    env,
    ffi::{OsStr, OsString},
    io::{self, Write},
    path::Path,
    process::ExitCode,
    sync::Arc,
    time::Instant,
};

use anchorhold_admin::client;
use anchorhold_agent_runner::{
    Error, admin,
    args::Args,
    children::{Children, Orphans},
    log, mcp,
    progress::beat,
    provider::{Harness, Providers},
    proxy::Proxy,
    report,
    tools::{Host, Tools},
    turn_loop::{Ended, Parts, TurnLoop},
    way_out::WayOut,
};
use anchorhold_core::{
    clock::Clock,
    retry::{Backoff, Next},
    sandbox::{IN_DIR, OUT_DIR},
};
use anchorhold_sessiondb::{RunnerSide, bell, progress::Beats};
use anyhow::Context;
use camino::Utf8Path;
use jiff::Timestamp;
use tokio::{
    net::{UnixDatagram, UnixListener},
    runtime::Builder,
    signal::unix::{Signal, SignalKind, signal},
    time::{Duration, sleep},
};
use tokio_util::sync::CancellationToken;

/// Between tries to open the files while the host holds one.
const OPEN: Backoff = Backoff {
    first: Duration::from_millis(10),
    longest: Duration::from_secs(1),
    tries: 30,
};

/// The name under which the program is the administration command.
const ADMIN_NAME: &str = "anchorhold";

fn main() -> ExitCode {
    let name = env::args_os().next().unwrap_or_default();
    if Path::new(&name).file_name() == Some(OsStr::new(ADMIN_NAME)) {
        return administer(env::args_os().skip(1));
    }
    if env::args_os()
        .nth(1)
        .is_some_and(|first| first == mcp::ARGUMENT)
    {
        return connect();
    }
    log::init();
    match run() {
        Ok(Ended::Told) => ExitCode::SUCCESS,
        Ok(Ended::Exit(code)) => ExitCode::from(code),
        Err(error) => {
            tracing::error!(error = %report(&*error), "agent-runner failed");
            ExitCode::FAILURE
        }
    }
}

/// Connects a harness to the tools.
fn connect() -> ExitCode {
    match mcp::shim::run(Utf8Path::new(mcp::SOCKET), io::stdin(), io::stdout()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // silent: whoever reads it has gone; the exit status says the rest.
            drop(writeln!(
                io::stderr(),
                "can't reach the tools at {}: {error}",
                mcp::SOCKET
            ));
            ExitCode::FAILURE
        }
    }
}

/// Runs one administration command.
fn administer(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let (in_dir, out_dir) = (Utf8Path::new(IN_DIR), Utf8Path::new(OUT_DIR));
    let shown = client::run(args, ADMIN_NAME, |request| {
        admin::ask(in_dir, out_dir, request, SystemClock.now())
    });
    // silent: whoever reads it has gone; the exit status says the rest.
    drop(io::stdout().write_all(shown.stdout.as_bytes()));
    drop(io::stderr().write_all(shown.stderr.as_bytes()));
    ExitCode::from(shown.code)
}

fn run() -> anyhow::Result<Ended> {
    let arguments = env::args_os().skip(1);
    let args = Args::parse(arguments.map(|argument| argument.to_string_lossy().into_owned()))?;
    let runtime = Builder::new_current_thread()
        .enable_all()
        .build()
        .context("can't start the runtime")?;
    runtime.block_on(serve(args))
}

async fn serve(args: Args) -> anyhow::Result<Ended> {
    let stop = CancellationToken::new();
    let signals = Signals::listen()?;
    let beats = Arc::new(Beats::new(&args.out_dir, args.generation));
    beat(&beats, None);
    // The first process of a namespace inherits the orphans of all others in it.
    let orphans = (std::process::id() == 1)
        .then(Orphans::listen)
        .transpose()?;
    let children = Arc::new(Children::default());
    let environment = env::vars_os()
        .map(|(name, value)| {
            let text = |part: OsString| part.to_string_lossy().into_owned();
            (text(name), text(value))
        })
        .collect();
    let proxy = open_proxy().await;
    let (turn, harness) = (mcp::CurrentTurn::default(), open_tools());
    let tools = Tools::new(args.workspace.clone(), environment, Arc::clone(&children))
        .with_environment(proxy.iter().flat_map(Proxy::environment).collect())
        .with_host(Host {
            in_dir: args.in_dir.clone(),
            out_dir: args.out_dir.clone(),
            clock: Arc::new(SystemClock),
        });
    // Bound before the first look, so that nothing is missed between the two.
    let bell = listen_for_bell(&args);
    let parts = Parts {
        side: open(&args, &beats).await?,
        in_dir: args.in_dir.clone(),
        bell,
        beats,
        clock: Arc::new(SystemClock),
        providers: Providers::builtin(Harness {
            tools: mcp::command().to_vec(),
            ..args.harness
        }),
        tools: Arc::new(tools),
        turn: turn.clone(),
        children,
        orphans,
    };
    let generation = args.generation;
    tracing::info!(%generation, bell = parts.bell.is_some(), "agent-runner starts");
    let mut turns = TurnLoop::new(parts);
    let ended = tokio::select! {
        biased;
        // First, so that no new turn begins after it: both can be ready at once.
        never = signals.pass_on(&stop) => match never {},
        ended = turns.run(&stop) => ended?,
        never = pass_on(proxy, WayOut::at(&args.in_dir)) => match never {},
        never = serve_tools(harness, turn) => match never {},
    };
    tracing::info!(%generation, "agent-runner ends");
    Ok(ended)
}

async fn open(args: &Args, beats: &Arc<Beats>) -> anyhow::Result<RunnerSide> {
    let mut tries = 0;
    loop {
        let error = match RunnerSide::open(&args.in_dir, beats) {
            Ok(side) => return Ok(side),
            Err(error) => error,
        };
        tries += 1;
        match OPEN.next(tries, None, 0) {
            Next::After(wait) if error.is_later() => sleep(wait).await,
            Next::After(_) | Next::GiveUp => {
                return Err(error).context("can't open the session's files");
            }
        }
    }
}

/// Without it tools that know no Unix sockets reach nothing; the agent still reaches its model.
async fn open_proxy() -> Option<Proxy> {
    Proxy::bind()
        .await
        .inspect_err(|error| tracing::warn!(error = %report(error), "no port for a proxy"))
        .ok()
}

async fn pass_on(proxy: Option<Proxy>, way_out: WayOut) -> Infallible {
    match proxy {
        Some(proxy) => proxy.run(way_out).await,
        None => std::future::pending().await,
    }
}

/// Without them a harness can only answer.
fn open_tools() -> Option<UnixListener> {
    mcp::listen(Utf8Path::new(mcp::SOCKET))
        .inspect_err(|error| tracing::warn!(error = %report(error), "no socket for tools"))
        .ok()
}

async fn serve_tools(listener: Option<UnixListener>, turn: mcp::CurrentTurn) -> Infallible {
    match listener {
        Some(listener) => mcp::serve(listener, turn).await,
        None => std::future::pending().await,
    }
}

/// Without a bell messages are found a little later, so a failure is no reason to stop.
fn listen_for_bell(args: &Args) -> Option<UnixDatagram> {
    let bound = match bell::bind(&args.out_dir) {
        Ok(bound) => bound,
        Err(error) => {
            tracing::warn!(error = %report(&error), "bell not bound");
            return None;
        }
    };
    match UnixDatagram::from_std(bound) {
        Ok(bell) => Some(bell),
        Err(error) => {
            tracing::warn!(error = %report(&error), "bell not heard");
            None
        }
    }
}

/// The signals that mean: finish what you do, then go.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn listen() -> Result<Self, Error> {
        let listen = |kind| signal(kind).map_err(|source| Error::Signals { source });
        Ok(Self {
            terminate: listen(SignalKind::terminate())?,
            interrupt: listen(SignalKind::interrupt())?,
        })
    }

    async fn pass_on(mut self, stop: &CancellationToken) -> Infallible {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => {}
                _ = self.interrupt.recv() => {}
            }
            tracing::info!("told to stop");
            stop.cancel();
        }
    }
}

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
