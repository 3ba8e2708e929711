//! What all parts of one simulation share: lives, steps, time, faults, and the record of all of it.

use std::{
    collections::VecDeque,
    fmt,
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicI64, AtomicU64, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use camino::Utf8PathBuf;
use tokio::sync::Notify;

use crate::{
    disk::Disk,
    plan::{Kill, Plan, Storm, StormKind, Whom},
    random::{Rng, mix, of_text},
    sabotage::Sabotage,
};

/// The most lines of the record that are kept.
const RECORD_LIMIT: usize = 200_000;
/// How long the files of a dead life may take to be closed, in real time.
const CLOSE_LIMIT: Duration = Duration::from_secs(30);

/// One process that can die: a host, or the inhabitant of a sandbox.
#[derive(Debug)]
pub struct Life {
    /// Its name in the record.
    pub name: String,
    /// Is it a host's?
    pub is_host: bool,
    dead: AtomicBool,
    died: Notify,
    files: AtomicUsize,
}

/// The life is over: what was about to happen does not happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dead;

impl Life {
    /// A life that begins.
    pub fn new(name: String, is_host: bool) -> Arc<Self> {
        Arc::new(Self {
            name,
            is_host,
            dead: AtomicBool::new(false),
            died: Notify::new(),
            files: AtomicUsize::new(0),
        })
    }

    /// Is it over?
    pub fn is_dead(&self) -> bool {
        self.dead.load(Ordering::SeqCst)
    }

    /// Ends it, as SIGKILL would: nothing it does from now on has an effect.
    pub fn kill(&self) {
        self.dead.store(true, Ordering::SeqCst);
        self.died.notify_waiters();
        self.died.notify_one();
    }

    /// Returns when it is over.
    pub async fn death(&self) {
        while !self.is_dead() {
            self.died.notified().await;
        }
    }

    /// Never returns if the life is over, else at once.
    pub async fn alive(&self) {
        if self.is_dead() {
            std::future::pending::<()>().await;
        }
    }
}

/// The shared state of one simulation.
pub struct World {
    /// Where everything is.
    pub dir: Utf8PathBuf,
    /// The plan.
    pub plan: Plan,
    /// What is broken on purpose.
    pub sabotage: Sabotage,
    /// What is durable.
    pub disk: Mutex<Disk>,
    origin: Instant,
    now_ms: AtomicU64,
    skew_ms: AtomicI64,
    boots: AtomicU64,
    inner: Mutex<Inner>,
    /// How often the host's own thread has come to rest.
    parked: Mutex<u64>,
    parked_changed: Condvar,
    /// Lets the host's own thread look whether there is something to do.
    nudge: Notify,
    files_changed: Condvar,
}

struct Inner {
    steps: u64,
    kills: VecDeque<Kill>,
    power_cut: bool,
    host: Option<Arc<Life>>,
    sandboxes: Vec<Arc<Life>>,
    record: Vec<String>,
    sum: u64,
    violations: Vec<String>,
    rng: Rng,
}

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("World")
            .field("dir", &self.dir)
            .finish_non_exhaustive()
    }
}

impl World {
    /// A world below `dir` in which nothing has happened.
    #[expect(clippy::disallowed_methods, reason = "only the origin of virtual time")]
    pub fn new(dir: Utf8PathBuf, plan: Plan, sabotage: Sabotage) -> Arc<Self> {
        Arc::new(Self {
            disk: Mutex::new(Disk::new(plan.cuts_power())),
            origin: Instant::now(),
            now_ms: AtomicU64::new(0),
            skew_ms: AtomicI64::new(0),
            boots: AtomicU64::new(1),
            inner: Mutex::new(Inner {
                steps: 0,
                kills: plan.kills.clone().into(),
                power_cut: false,
                host: None,
                sandboxes: Vec::new(),
                record: Vec::new(),
                sum: 0,
                violations: Vec::new(),
                rng: Rng::new(plan.seed, 2),
            }),
            parked: Mutex::new(0),
            parked_changed: Condvar::new(),
            nudge: Notify::new(),
            files_changed: Condvar::new(),
            dir,
            plan,
            sabotage,
        })
    }

    /// Where monotonic time begins.
    pub fn origin(&self) -> Instant {
        self.origin
    }

    /// The virtual time of the present slice, in milliseconds.
    pub fn now_ms(&self) -> u64 {
        self.now_ms.load(Ordering::SeqCst)
    }

    /// Moves the virtual time on.
    pub fn set_now(&self, now_ms: u64) {
        self.now_ms.store(now_ms, Ordering::SeqCst);
    }

    /// By how much the wall clock is off, in milliseconds.
    pub fn skew_ms(&self) -> i64 {
        self.skew_ms.load(Ordering::SeqCst)
    }

    /// Makes the wall clock jump.
    pub fn jump(&self, by_ms: i64) {
        self.skew_ms.fetch_add(by_ms, Ordering::SeqCst);
        self.note(format_args!("the clock jumps by {by_ms} ms"));
    }

    /// What names the present boot of the machine.
    pub fn boot(&self) -> String {
        format!("boot {}", self.boots.load(Ordering::SeqCst))
    }

    /// The machine comes up again.
    pub fn reboot(&self) {
        self.boots.fetch_add(1, Ordering::SeqCst);
    }

    /// How many steps were taken.
    pub fn steps(&self) -> u64 {
        self.inner().steps
    }

    /// Something is about to happen that others can see: a write, a sync, a send. The plan may
    /// want somebody dead here.
    pub fn step(&self, life: &Life, what: fmt::Arguments<'_>) -> Result<(), Dead> {
        if life.is_dead() {
            return Err(Dead);
        }
        let now = self.now_ms();
        let mut inner = self.inner();
        inner.steps += 1;
        let step = inner.steps;
        inner.line(format!("{now:>8} #{step} {}: {what}", life.name));
        while inner.kills.front().is_some_and(|kill| kill.at <= step) {
            let Some(kill) = inner.kills.pop_front() else {
                break;
            };
            inner.line(format!("{now:>8} #{step} dies: {:?}", kill.whom));
            match kill.whom {
                Whom::Actor => life.kill(),
                Whom::Host => inner.kill_host(),
                Whom::Sandboxes => inner.kill_sandboxes(),
                Whom::Power => {
                    inner.power_cut = true;
                    inner.kill_host();
                    inner.kill_sandboxes();
                }
            }
        }
        drop(inner);
        if life.is_dead() {
            // Who waits for the host's thread to rest need not wait any more.
            self.parked_changed.notify_all();
            return Err(Dead);
        }
        Ok(())
    }

    /// Nobody is to die any more.
    pub fn spare_all(&self) {
        self.inner().kills.clear();
    }

    /// Kills by the clock.
    pub fn die(&self, whom: Whom) {
        self.note(format_args!("dies by the clock: {whom:?}"));
        let mut inner = self.inner();
        match whom {
            Whom::Host | Whom::Actor => inner.kill_host(),
            Whom::Sandboxes => inner.kill_sandboxes(),
            Whom::Power => {
                inner.power_cut = true;
                inner.kill_host();
                inner.kill_sandboxes();
            }
        }
        drop(inner);
        self.parked_changed.notify_all();
    }

    /// Was the power cut? Asked once for each cut.
    pub fn take_power_cut(&self) -> bool {
        std::mem::take(&mut self.inner().power_cut)
    }

    /// A host begins.
    pub fn host_begins(&self, life: &Arc<Life>) {
        self.inner().host = Some(Arc::clone(life));
    }

    /// The host that lives now, or lived last.
    pub fn host(&self) -> Option<Arc<Life>> {
        self.inner().host.clone()
    }

    /// An inhabitant of a sandbox begins.
    pub fn sandbox_begins(&self, life: &Arc<Life>) {
        let mut inner = self.inner();
        inner.sandboxes.retain(|life| !life.is_dead());
        inner.sandboxes.push(Arc::clone(life));
    }

    /// Writes down what is no step.
    pub fn note(&self, what: fmt::Arguments<'_>) {
        let now = self.now_ms();
        // The folder is another one in each run.
        let line = format!("{now:>8} {what}").replace(self.dir.as_str(), "");
        self.inner().line(line);
    }

    /// Something is not as it must be.
    pub fn violation(&self, what: fmt::Arguments<'_>) {
        let now = self.now_ms();
        let mut inner = self.inner();
        inner.line(format!("{now:>8} VIOLATION: {what}"));
        inner.violations.push(what.to_string());
    }

    /// What was not as it must be.
    pub fn violations(&self) -> Vec<String> {
        self.inner().violations.clone()
    }

    /// The record so far.
    pub fn record(&self) -> Vec<String> {
        self.inner().record.clone()
    }

    /// A number that is the same for two runs with the same record.
    pub fn sum(&self) -> u64 {
        self.inner().sum
    }

    /// A random number below `end`, for faults.
    pub fn below(&self, end: u64) -> u64 {
        self.inner().rng.below(end)
    }

    /// Does it storm just now, here? `place` decides together with the time, so that trying again
    /// at once meets the same.
    pub fn storms_at(&self, kind: StormKind, place: &str) -> bool {
        self.storm(kind).is_some_and(|storm| {
            let here = mix(self.plan.seed ^ of_text(place) ^ mix(self.now_ms() / 50));
            here % 1_000 < storm.per_mille
        })
    }

    /// Is there no room at all on the disk?
    pub fn is_full(&self) -> bool {
        self.plan
            .full
            .is_some_and(|full| self.now_ms() < full.until && self.steps() >= full.from_step)
    }

    /// Does it storm for this one try?
    pub fn storms(&self, kind: StormKind) -> bool {
        self.storm(kind)
            .is_some_and(|storm| self.inner().rng.chance(storm.per_mille))
    }

    fn storm(&self, kind: StormKind) -> Option<Storm> {
        let now = self.now_ms();
        let storms = &self.plan.storms;
        storms
            .iter()
            .find(|storm| storm.kind == kind && storm.from <= now && now < storm.until)
            .copied()
    }

    /// The host's own thread has nothing to do any more.
    pub fn parked(&self) {
        *self.parked.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.parked_changed.notify_all();
    }

    /// Returns when the host's own thread has to look whether there is something to do.
    pub async fn nudged(&self) {
        self.nudge.notified().await;
    }

    /// Waits until the host's own thread has done all that there was to do, what came of earlier
    /// work beside it included: so one thing happens after the other.
    pub fn wait_parked(&self, life: &Life) {
        let mut parked = self.parked.lock().unwrap_or_else(PoisonError::into_inner);
        let before = *parked;
        self.nudge.notify_one();
        while *parked == before && !life.is_dead() {
            let waited = self
                .parked_changed
                .wait_timeout(parked, Duration::from_millis(20));
            parked = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// A file of `life` was opened.
    pub fn file_opened(&self, life: &Life) {
        life.files.fetch_add(1, Ordering::SeqCst);
    }

    /// A file of `life` was closed.
    pub fn file_closed(&self, life: &Life) {
        life.files.fetch_sub(1, Ordering::SeqCst);
        self.files_changed.notify_all();
    }

    /// Waits until a dead life has no open file, as the kernel would see to.
    pub fn wait_closed(&self, life: &Life) {
        let mut inner = self.inner();
        let mut waited = Duration::ZERO;
        let pause = Duration::from_millis(5);
        while life.files.load(Ordering::SeqCst) > 0 {
            if waited > CLOSE_LIMIT {
                let left = life.files.load(Ordering::SeqCst);
                inner
                    .violations
                    .push(format!("{} left {left} files open", life.name));
                return;
            }
            let woken = self.files_changed.wait_timeout(inner, pause);
            inner = woken.unwrap_or_else(PoisonError::into_inner).0;
            waited += pause;
        }
    }

    /// What is durable.
    pub fn disk(&self) -> MutexGuard<'_, Disk> {
        self.disk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn line(&mut self, line: String) {
        self.sum = mix(self.sum ^ of_text(&line));
        if self.record.len() < RECORD_LIMIT {
            self.record.push(line);
        }
    }

    fn kill_host(&mut self) {
        if let Some(host) = &self.host {
            host.kill();
        }
    }

    fn kill_sandboxes(&mut self) {
        for life in self.sandboxes.drain(..) {
            life.kill();
        }
    }
}
