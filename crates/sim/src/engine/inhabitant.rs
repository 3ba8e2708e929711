//! The inhabitant of a sandbox: what the agent-runner's program does, and can be killed in.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use anchorhold_agent_runner::{
    children::Children,
    mcp::CurrentTurn,
    progress::Beats,
    provider::Providers,
    tools::Tools,
    turn_loop::{Ended, Parts, TurnLoop},
};
use anchorhold_core::sandbox::{ExitStatus, Generation};
use anchorhold_sessiondb::{RunnerSide, bell};
use camino::Utf8PathBuf;
use tokio::{net::UnixDatagram, time::sleep};
use tokio_util::sync::CancellationToken;

use crate::{
    plan::StormKind,
    script::Script,
    time::VirtualClock,
    vfs::{Role, as_role},
    world::{Life, World},
};

/// How often the files are tried to be opened, and with what wait.
const OPEN_TRIES: u32 = 30;
const OPEN_WAIT: Duration = Duration::from_millis(100);
/// What the kernel sends to who is killed.
const SIGKILL: i32 = 9;

/// Where somebody lives.
pub(super) struct Home {
    pub(super) world: Arc<World>,
    pub(super) life: Arc<Life>,
    pub(super) in_dir: Utf8PathBuf,
    pub(super) out_dir: Utf8PathBuf,
    pub(super) generation: Generation,
    pub(super) stop: CancellationToken,
}

/// Lives until it is told to stop, ends by itself, or is killed; then no file of it is open.
pub(super) async fn inhabit(home: Home) -> ExitStatus {
    let (world, life) = (Arc::clone(&home.world), Arc::clone(&home.life));
    let living = Killable {
        life: Arc::clone(&life),
        living: Some(Box::pin(live(home))),
    };
    let status = tokio::select! {
        biased;
        () = life.death() => None,
        status = living => status,
    };
    life.kill();
    world.wait_closed(&life);
    status.unwrap_or(ExitStatus::Signal(SIGKILL))
}

async fn live(home: Home) -> ExitStatus {
    let beats = Arc::new(Beats::new(home.out_dir.clone(), home.generation));
    beats.beat(None);
    let bell = if home.world.storms(StormKind::Deaf) {
        None
    } else {
        bell::bind(&home.out_dir)
            .ok()
            .and_then(|bell| UnixDatagram::from_std(bell).ok())
    };
    let Some(side) = open(&home).await else {
        return ExitStatus::Code(1);
    };
    let offset = Duration::from_millis(home.world.now_ms());
    let children = Arc::new(Children::default());
    let workspace = home.out_dir.clone();
    let parts = Parts {
        side,
        in_dir: home.in_dir,
        bell,
        beats,
        clock: Arc::new(VirtualClock::here(home.world, offset)),
        providers: Providers::of(vec![Arc::new(Script)]),
        tools: Arc::new(Tools::new(workspace, Vec::new(), Arc::clone(&children))),
        turn: CurrentTurn::default(),
        children,
        orphans: None,
    };
    match TurnLoop::new(parts).run(&home.stop).await {
        Ok(Ended::Told) => ExitStatus::Code(0),
        Ok(Ended::Exit(code)) => ExitStatus::Code(i32::from(code)),
        Err(_fatal) => ExitStatus::Code(1),
    }
}

async fn open(home: &Home) -> Option<RunnerSide> {
    for _ in 0..OPEN_TRIES {
        match RunnerSide::open(&home.in_dir, &home.out_dir, home.generation) {
            Ok(side) => return Some(side),
            Err(error) if error.is_later() => sleep(OPEN_WAIT).await,
            Err(error) => {
                home.world
                    .note(format_args!("sandbox can't open its files: {error}"));
                return None;
            }
        }
    }
    None
}

/// A process: whatever it does, it does as itself, and after its death it does nothing.
struct Killable<F> {
    life: Arc<Life>,
    living: Option<Pin<Box<F>>>,
}

impl<F: Future<Output = ExitStatus>> Future for Killable<F> {
    /// `None`: it was killed.
    type Output = Option<ExitStatus>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let role = Role::Sandbox(Arc::clone(&self.life));
        let me = &mut *self;
        as_role(role, || {
            let Some(living) = &mut me.living else {
                return Poll::Ready(None);
            };
            let polled = living.as_mut().poll(cx);
            if me.life.is_dead() {
                me.living = None;
                return Poll::Ready(None);
            }
            if polled.is_ready() {
                me.living = None;
            }
            polled.map(Some)
        })
    }
}

impl<F> Drop for Killable<F> {
    fn drop(&mut self) {
        let role = Role::Sandbox(Arc::clone(&self.life));
        self.life.kill();
        as_role(role, || drop(self.living.take()));
    }
}
