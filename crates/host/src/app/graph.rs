//! What a host is made of, put together once.

use std::{sync::Arc, time::Duration};

use anchorhold_channel::Intake;
use anchorhold_core::{
    ids::{ChannelName, InstallId},
    turn_failure::Patience,
};
use anchorhold_runner::lifecycle::{Lifecycle, LifecycleParts, SandboxOwner};
use anchorhold_store::{
    Pace, Store,
    trace::{About, Event},
};
use camino::{Utf8Path, Utf8PathBuf};
use tokio::{net::UnixListener, sync::Notify, time::timeout};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{info, warn};

use crate::{
    acts::Acts,
    admin::{
        Admin, Hands,
        inside::{self, Inside, Rings},
    },
    agents::Agents,
    app::lifecycle,
    app::{
        Options, RunError, World, runner_binary,
        runtimes::{self, Runtimes},
        user::sandbox_user,
    },
    approvals::Approvals,
    base::Base,
    broker,
    commands::Commands,
    config::Config,
    control::{self, Control},
    deliver::Deliver,
    dirs::Dirs,
    ends::Ends,
    feed::Feed,
    ingest::{Ingest, Stages},
    journal::Journal,
    liveness::Liveness,
    models::Given,
    owners::Owners,
    pairing::Pairing,
    pull::Pull,
    reach::Reach,
    registry::{Instance, Registry},
    report::report,
    retention::{Retention, Rules},
    sandboxes::{Fixed, Sandboxes},
    sessions::Sessions,
    settings::{self, Surroundings},
    settle::Settle,
    supervise::supervise,
    sweep::Sweep,
    tasks::Tasks,
    typing::Typing,
    wake::Wake,
    wall::Wall,
};

/// So many failures of a provider that may be over the next time are waited for: with growing waits,
/// some ten minutes.
const PROVIDER_TRIES: u32 = 10;
/// How long tasks may take to end when everything is told to.
const TASKS_GRACE: Duration = Duration::from_secs(10);

/// A running host.
pub(crate) struct Graph {
    /// The common ground.
    pub(crate) base: Base,
    /// The channels.
    pub(crate) registry: Registry,
    /// The way in.
    pub(crate) ingest: Arc<Ingest>,
    /// The sandboxes' life.
    pub(crate) lifecycle: Lifecycle,
    /// The way out.
    pub(crate) deliver: Deliver,
    /// Lets the sweep look now.
    pub(crate) sweep_nudge: Arc<Notify>,
    /// What is forgotten when.
    pub(crate) rules: Rules,
    /// Watches the channels.
    pub(crate) liveness: Arc<Liveness>,
    around: Surroundings,
    /// The channel between agents: it is kept here and nowhere else.
    _agents: Arc<Instance>,
    sandboxes: Arc<Sandboxes>,
    /// Writes the sessions' files.
    pub(crate) feed: Feed,
    channel_tasks: TaskTracker,
    tasks: TaskTracker,
    /// Ends the stages; what is being delivered then is brought to its end.
    stages: CancellationToken,
    /// Ends the lifecycle, after the sandboxes are gone.
    lifecycle_token: CancellationToken,
}

/// What a host works with that is not in its data directory.
pub(crate) struct Outside {
    /// The agent-runner's binary.
    pub(crate) runner: Utf8PathBuf,
    /// What runs sandboxes.
    pub(crate) runtimes: Runtimes,
    /// The channel instances.
    pub(crate) channels: Vec<(ChannelName, Instance)>,
    /// When calls of the central database may begin; `None`: at once.
    pub(crate) pace: Option<Arc<dyn Pace>>,
}

impl Outside {
    /// Finds and builds what `options` and `config` name; starts nothing.
    pub(super) async fn find(
        options: &Options,
        world: &World,
        config: &Config,
        dirs: &Dirs,
    ) -> Result<Self, RunError> {
        let channels = settings::build_channels(config, &surroundings(world, dirs))?;
        let runner = runner_binary::find(options.runner.as_deref());
        if !runner.is_file() {
            return Err(RunError::NoRunner { path: runner });
        }
        let engine = config.host.engine(options.docker_host.as_deref());
        let runtimes = runtimes::choose(config, engine, dirs).await?;
        Ok(Self {
            runner,
            runtimes,
            channels,
            pace: None,
        })
    }
}

/// What adapters get.
fn surroundings(world: &World, dirs: &Dirs) -> Surroundings {
    Surroundings {
        data_dir: dirs.root().to_owned(),
        clock: Arc::clone(&world.clock),
        entropy: Arc::clone(&world.entropy),
        secrets: Arc::clone(&world.secrets),
    }
}

/// What has to be there before anything can run.
struct Ground {
    base: Base,
    rings: Rings,
    fixed: Fixed,
    listener: UnixListener,
    wall: Wall,
}

impl Ground {
    /// Opens everything in the data directory that the host stands on; starts nothing.
    async fn lay(
        world: &World,
        config: &Config,
        dirs: Dirs,
        outside: &Outside,
    ) -> Result<Self, RunError> {
        let (runner, default_runtime) = (outside.runner.as_path(), outside.runtimes.default);
        let io = |path: &Utf8Path| {
            let path = path.to_owned();
            move |source| RunError::Io { path, source }
        };
        let runner_dir = dirs.root().join("bin");
        runner_binary::install(runner, &runner_dir).map_err(io(&runner_dir))?;
        let listener = control::bind(&dirs.control()).map_err(io(&dirs.control()))?;
        dirs.make_private_file(&dirs.database())
            .map_err(io(&dirs.database()))?;
        let pace = outside.pace.clone();
        let store = Store::open_paced(dirs.database().as_std_path(), pace).await?;
        let (user, owner) = sandbox_user();
        let (inside, rings) = inside::bell();
        let base = Base::new(
            store,
            dirs,
            (owner, inside),
            Arc::clone(&world.clock),
            Arc::clone(&world.entropy),
        );
        let (now, random) = base.seed();
        let install = base
            .store
            .install_id(InstallId::mint(now, random), now)
            .await?;
        if base.store.note_boot(world.boot.as_deref()).await? {
            info!("the machine was started anew: sessions' files are made anew when they are used");
        }
        let mut wall = Wall::begin(base.clone()).await?;
        // Their files are made anew when they are used, as after another start of the machine.
        drop(wall.look().await?);
        base.models.replace(Given::read(config, &world.secrets)?);
        let desired = settings::desired(config, || base.seed());
        let done = base.store.reconcile_file(&desired, now).await?;
        info!(?done, "configuration taken over");
        let version = env!("CARGO_PKG_VERSION").to_owned();
        let began = base.store.note(About::Host, Event::Host { version }, now);
        began.await?;
        let fixed = Fixed {
            install,
            runner_dir,
            image: config.host.image.clone(),
            user,
            default_runtime,
        };
        Ok(Self {
            base,
            rings,
            fixed,
            listener,
            wall,
        })
    }
}

impl Graph {
    /// Builds and starts everything, from what is below to what is above.
    pub(crate) async fn build(
        world: &World,
        config: &Config,
        dirs: Dirs,
        outside: Outside,
    ) -> Result<Self, RunError> {
        let around = surroundings(world, &dirs);
        let Ground {
            base,
            rings,
            fixed,
            listener,
            wall,
        } = Ground::lay(world, config, dirs, &outside).await?;

        let (tasks, stages) = (TaskTracker::new(), CancellationToken::new());
        let registry = Registry::default();
        let deliver = Deliver::new(
            base.clone(),
            registry.clone(),
            tasks.clone(),
            stages.clone(),
        );
        let (journal, feed) = custody(&base, &tasks, &stages).await?;
        let pull = way_out(&base, &registry, (&deliver, &feed), config);
        let sweep_nudge = Arc::new(Notify::new());
        let below = (pull.clone(), feed.clone());
        let settle = Settle::new(base.clone(), below, Arc::clone(&sweep_nudge));
        let numbers = lifecycle::numbers(config, fixed.install);
        let broker = broker::start(&base, &tasks, &stages);
        let below = (pull, deliver.clone(), settle, feed.clone(), broker);
        let sandboxes = Sandboxes::new(base.clone(), fixed, below, tasks.clone());
        learn(&base, &sandboxes).await?;
        let lifecycle_token = CancellationToken::new();
        let owner: Arc<dyn SandboxOwner> = Arc::<Sandboxes>::clone(&sandboxes);
        let parts = LifecycleParts {
            runtimes: outside.runtimes.all,
            owner,
            clock: Arc::clone(&world.clock),
            tasks: tasks.clone(),
            shutdown: lifecycle_token.clone(),
        };
        let lifecycle = Lifecycle::start(numbers, parts);
        let wake = Wake::new(base.clone(), lifecycle.clone());
        let (below, files) = ((&lifecycle, &sandboxes), (&journal, &feed));
        let agents = Agents::new(base.clone(), journal.clone(), wake.clone());
        let agents = agents.connect(&registry);
        let (ingest, beside) = way_in(&base, &registry, (&deliver, &wake), below, files);
        let graph = Self {
            liveness: Liveness::new(base.clone(), registry.clone(), deliver.clone()),
            base,
            registry,
            ingest,
            lifecycle,
            deliver,
            sweep_nudge,
            rules: Rules::new(config),
            around,
            _agents: agents,
            sandboxes,
            feed,
            channel_tasks: TaskTracker::new(),
            tasks,
            stages,
            lifecycle_token,
        };
        for (name, instance) in outside.channels {
            graph.start_channel(name, instance);
        }
        graph.deliver.settle_interrupted().await?;
        graph.start_stages((wake, wall), beside, (listener, rings));
        Ok(graph)
    }

    fn start_stages(
        &self,
        (wake, wall): (Wake, Wall),
        (admin, ends, tasks): (Admin, Ends, Tasks),
        (listener, rings): (UnixListener, Rings),
    ) {
        let retention = Retention::new(
            self.base.clone(),
            self.lifecycle.clone(),
            Arc::clone(&self.sandboxes),
            self.rules.clone(),
        );
        let sandboxes = Arc::clone(&self.sandboxes);
        let parts = (wake, sandboxes, retention, self.feed.clone());
        let sweep = Sweep::new(
            self.base.clone(),
            self.lifecycle.clone(),
            parts,
            (wall, tasks),
            Arc::clone(&self.sweep_nudge),
        );
        let control = Control {
            clock: Arc::clone(&self.around.clock),
            data_dir: self.base.dirs.root().to_owned(),
            started_at: self.base.now(),
            registry: self.registry.clone(),
            lifecycle: self.lifecycle.clone(),
            sandboxes: Arc::clone(&self.sandboxes),
            live: self.base.live.clone(),
            store: self.base.store.clone(),
            admin: admin.clone(),
        };
        let inside = Inside::new(self.base.clone(), admin, self.feed.clone(), rings);
        self.tasks.spawn(inside.run(self.stages.clone()));
        let (base, feed) = (self.base.clone(), self.feed.clone());
        let telling = base.outcomes.clone().tell(base, feed, self.stages.clone());
        self.tasks.spawn(telling);
        self.tasks.spawn(self.deliver.clone().run());
        self.tasks.spawn(ends.run(self.stages.clone()));
        self.tasks
            .spawn(Arc::clone(&self.liveness).run(self.stages.clone()));
        self.tasks.spawn(sweep.run(self.stages.clone()));
        let typing = Typing::new(self.base.clone(), self.registry.clone());
        self.tasks.spawn(typing.run(self.stages.clone()));
        let ingest = Arc::clone(&self.ingest);
        self.tasks.spawn(ingest.attend(self.stages.clone()));
        let answering = control.serve(listener, self.tasks.clone(), self.stages.clone());
        self.tasks.spawn(answering);
    }

    /// Starts one channel instance under its supervisor.
    pub(super) fn start_channel(&self, name: ChannelName, instance: Instance) {
        self.registry.add(name.clone(), instance.clone());
        let intake: Arc<dyn Intake> = Arc::<Ingest>::clone(&self.ingest);
        let (base, tasks) = (self.base.clone(), self.channel_tasks.clone());
        self.channel_tasks
            .spawn(supervise(base, name, instance, intake, tasks));
    }

    /// Builds the channel instances of a new configuration.
    pub(super) fn build_channels(
        &self,
        config: &Config,
    ) -> Result<Vec<(ChannelName, Instance)>, settings::SettingsError> {
        settings::build_channels(config, &self.around)
    }

    /// Reads the keys of a new configuration.
    pub(super) fn read_models(&self, config: &Config) -> Result<Given, settings::SettingsError> {
        Given::read(config, &self.around.secrets)
    }

    /// The sandboxes learn what their groups want now.
    pub(super) async fn relearn(&self) -> Result<(), anchorhold_store::Error> {
        learn(&self.base, &self.sandboxes).await?;
        self.lifecycle.look();
        Ok(())
    }

    /// Stops in order: nothing new comes in, turns get `grace`, the rest is on disk.
    pub(crate) async fn stop(self, grace: Duration) {
        for (_, instance) in self.registry.all() {
            instance.shutdown.cancel();
        }
        self.channel_tasks.close();
        if timeout(TASKS_GRACE, self.channel_tasks.wait())
            .await
            .is_err()
        {
            warn!("a channel did not stop in time");
        }
        self.base.live.condemn_all();
        self.lifecycle.drain(grace).await;
        self.sandboxes.leave_all().await;
        self.lifecycle_token.cancel();
        self.stages.cancel();
        self.tasks.close();
        if timeout(TASKS_GRACE, self.tasks.wait()).await.is_err() {
            warn!("a task did not end in time");
        }
        self.base.store.close().await;
    }
}

/// What makes things durable and writes the sessions' files, with what earlier hosts left.
async fn custody(
    base: &Base,
    tasks: &TaskTracker,
    stages: &CancellationToken,
) -> Result<(Journal, Feed), anchorhold_store::Error> {
    let feed = Feed::new(base.clone(), tasks.clone());
    feed.begin().await?;
    let journal = Journal::start(base, feed.clone(), tasks, stages.clone());
    Ok((journal, feed))
}

/// The sandboxes learn what their groups want.
async fn learn(base: &Base, sandboxes: &Sandboxes) -> Result<(), anchorhold_store::Error> {
    for summary in base.store.sessions(u32::MAX).await? {
        let (row, session) = (&summary.row, summary.row.session.id);
        let Some(group) = base.store.group(row.session.key.agent_group).await? else {
            continue;
        };
        if let Err(failure) = sandboxes.tell(row, &group).await {
            warn!(%session, error = %report(&failure), "running sandbox not told");
        }
    }
    Ok(())
}

/// What takes answers over.
fn way_out(
    base: &Base,
    registry: &Registry,
    (deliver, feed): (&Deliver, &Feed),
    config: &Config,
) -> Pull {
    let reach = Reach::new(base.clone(), registry.clone());
    let owners = Owners::new(base.clone(), reach, deliver.clone());
    let patience = Patience {
        waits: config.host.provider_patience,
        tries: PROVIDER_TRIES,
    };
    Pull::new(
        base.clone(),
        (deliver.clone(), feed.clone()),
        owners,
        patience,
    )
}

/// The way in, and everything beside it that a message or an operator can ask for.
fn way_in(
    base: &Base,
    registry: &Registry,
    (deliver, wake): (&Deliver, &Wake),
    (lifecycle, sandboxes): (&Lifecycle, &Arc<Sandboxes>),
    (journal, feed): (&Journal, &Feed),
) -> (Arc<Ingest>, (Admin, Ends, Tasks)) {
    let sessions = Sessions::new(
        base.clone(),
        lifecycle.clone(),
        (Arc::clone(sandboxes), wake.clone()),
        (journal.clone(), feed.clone()),
    );
    let acts = Acts::new(base.clone(), registry.clone(), sessions.clone());
    let reach = Reach::new(base.clone(), registry.clone());
    let approvals = Approvals::new(base.clone(), deliver.clone(), reach.clone());
    let ends = Ends::new(base.clone(), sessions.clone(), reach, deliver.clone());
    let pairing = Pairing::new(base.clone(), registry.clone(), acts.clone());
    let stages = Stages {
        journal: journal.clone(),
        wake: wake.clone(),
        deliver: deliver.clone(),
        pairing: pairing.clone(),
        commands: Commands::new(base.clone(), lifecycle.clone(), sessions.clone()),
        approvals: approvals.clone(),
        acts: acts.clone(),
        sessions,
    };
    let ingest = Ingest::new(base.clone(), registry.clone(), stages);
    let hands = Hands {
        ingest: Arc::clone(&ingest),
        acts,
        approvals,
        pairing,
        deliver: deliver.clone(),
    };
    let admin = Admin::new(base.clone(), registry.clone(), hands);
    let (journal, wake) = (journal.clone(), wake.clone());
    let tasks = Tasks::new(base.clone(), journal, wake, deliver.clone());
    (ingest, (admin, ends, tasks))
}
