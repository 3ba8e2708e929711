//! Liveness that tells the truth: what is proven, who is told, and whose cursor counts.

use anchorhold_channel::{
    BotIdentity, ChannelContext, ChannelError, Connection, PartKey, Sent, fake::FakeAdapter,
};
use anchorhold_core::access::Role;
use anchorhold_store::channel_health::ChannelHealth;
use async_trait::async_trait;

use super::*;
use crate::{
    liveness,
    tests::people::{dm, heard},
};

fn two() -> ChannelName {
    ChannelName::parse("two").unwrap()
}

impl Host {
    /// A second channel that nobody supervises: the test says how it fares.
    fn second_channel(&self) -> Instance {
        let clock: Arc<dyn Clock> = Arc::<FakeClock>::clone(&self.bench.clock);
        let (reporter, health) = health::pair(clock);
        let first = self.graph.registry.get(&one()).unwrap();
        let instance = Instance {
            adapter: self.bench.platform.adapter(two()),
            health,
            reporter,
            shutdown: CancellationToken::new(),
            ..first
        };
        self.graph.registry.add(two(), instance.clone());
        instance
    }

    async fn on_record(&self, channel: &ChannelName) -> ChannelHealth {
        let found = self.store().channel_health(channel).await.unwrap();
        found.unwrap_or_else(|| ChannelHealth::unknown(channel.clone()))
    }

    /// Lets so much time pass, and the host look once.
    async fn look_after(&self, span: Duration) {
        self.advance(span);
        self.graph.liveness.look().await;
    }

    async fn until_connected(&self) {
        let instance = self.graph.registry.get(&one()).unwrap();
        until("the channel is connected", async || {
            (instance.health.get().connection == Connection::Connected).then_some(())
        })
        .await;
    }
}

#[tokio::test]
async fn owners_are_told_over_another_channel_once_and_once_when_it_is_back() {
    let host = Host::new(&heard("public", "")).await;
    host.until_connected().await;
    host.grant("olga", Role::Owner).await;
    let second = host.second_channel();
    second.reporter.connected();
    second.reporter.reconnecting("the token was revoked");
    host.look_after(Duration::from_secs(10)).await;
    host.look_after(Duration::from_secs(200)).await;
    assert_eq!(host.seen(&dm("olga")), Vec::<String>::new());
    host.look_after(Duration::from_secs(100)).await;
    let seen = host.until_seen(&dm("olga"), 1).await;
    let down = "host: The channel `two` is not connected since 2026-01-01 00:00:00Z: the token was \
                revoked. What is to be said there waits. You are told when it is back; `anchorhold \
                channels list` shows how it fares.";
    assert_eq!(seen, [down]);

    // Told is told, also by the next host, which sees it down only since its own start.
    let host = host.stop().await.start().await;
    host.until_connected().await;
    let second = host.second_channel();
    second.reporter.dead("the token was revoked");
    host.look_after(Duration::from_hours(1)).await;
    host.look_after(Duration::from_hours(1)).await;
    assert_eq!(host.seen(&dm("olga")), [down]);

    // A word of the adapter's is no proof.
    second.reporter.connected();
    host.look_after(Duration::from_secs(10)).await;
    assert_eq!(host.seen(&dm("olga")), [down]);
    host.advance(Duration::from_secs(1));
    second.reporter.inbound();
    host.look_after(Duration::from_secs(1)).await;
    let seen = host.until_seen(&dm("olga"), 2).await;
    let back = "host: The channel `two`, which was not connected since 2026-01-01 00:00:00Z, is \
                connected again.";
    assert_eq!(seen[1..], [back]);
    host.look_after(Duration::from_hours(1)).await;
    assert_eq!(host.on_record(&two()).await.outage, None);
    host.stop().await;
}

#[tokio::test]
async fn a_channel_whose_owners_are_on_it_alone_is_told_of_in_the_log_only() {
    let host = Host::new(&heard("public", "")).await;
    host.until_connected().await;
    host.grant("olga", Role::Owner).await;
    let first = host.graph.registry.get(&one()).unwrap();
    first.reporter.reconnecting("reset");
    host.look_after(Duration::from_secs(1)).await;
    host.look_after(Duration::from_mins(10)).await;
    assert_eq!(host.seen(&dm("olga")), Vec::<String>::new());
    let outage = host.on_record(&one()).await.outage.unwrap();
    assert_eq!(outage.told_at, None);
    host.stop().await;
}

#[tokio::test]
async fn proofs_and_counts_survive_a_restart() {
    let mut host = Host::new(PLAIN).await;
    host.platform().say(event("m1"));
    host.enter().await.answer();
    host.until_seen(&address("c"), 1).await;
    let first = host.graph.registry.get(&one()).unwrap();
    until("both ways are proven", async || {
        let health = first.health.get();
        (health.last_inbound.is_some() && health.last_outbound.is_some()).then_some(())
    })
    .await;
    assert_eq!(liveness::state(&first.health.get()), "connected");
    first.reporter.reconnecting("reset");
    first.reporter.connected();
    let before = first.health.get();
    let host = host.stop().await.start().await;
    host.until_connected().await;
    let after = host.graph.registry.get(&one()).unwrap().health.get();
    assert_eq!(after.last_inbound, before.last_inbound);
    assert_eq!(after.last_outbound, before.last_outbound);
    assert_eq!((before.reconnects, after.reconnects), (1, 1));
    assert_eq!(after.last_error, before.last_error);
    host.stop().await;
}

#[tokio::test]
async fn a_channel_that_only_says_it_is_connected_is_not_healthy() {
    let host = Host::new(PLAIN).await;
    host.until_connected().await;
    host.advance(Duration::from_hours(2));
    let health = host.graph.registry.get(&one()).unwrap().health.get();
    assert_eq!(liveness::state(&health), "unproven");
    let sentence = "connected, nothing proven since 2026-01-01T00:00:00Z";
    assert_eq!(liveness::sentence(&health), sentence);
    // What is taken proves the way in, whatever its adapter reports.
    host.platform().say(event("m1"));
    until("the way in is proven", async || {
        let health = host.graph.registry.get(&one()).unwrap().health.get();
        (liveness::state(&health) == "connected").then_some(())
    })
    .await;
    host.stop().await;
}

/// An adapter that is one account or another, and reads from where its cursor is.
struct Account {
    inner: Arc<FakeAdapter>,
    name: &'static str,
    began_at: std::sync::Mutex<Vec<Option<String>>>,
}

#[async_trait]
impl ChannelAdapter for Account {
    fn caps(&self) -> &ChannelCaps {
        self.inner.caps()
    }

    async fn probe(&self) -> Result<BotIdentity, ChannelError> {
        Ok(BotIdentity {
            handle: Handle::parse(self.name).unwrap(),
            name: None,
            sees: Vec::new(),
        })
    }

    async fn run(&self, cx: ChannelContext) -> Result<(), ChannelError> {
        let began_at = cx.cursor.get().await.unwrap();
        self.began_at.lock().unwrap().push(began_at);
        cx.cursor
            .set(&format!("read by {}", self.name))
            .await
            .unwrap();
        self.inner.run(cx).await
    }

    async fn send(
        &self,
        to: &Address,
        op: &OutboundOp,
        key: PartKey,
    ) -> Result<Sent, ChannelError> {
        self.inner.send(to, op, key).await
    }

    async fn open_direct(&self, person: &Handle) -> Result<ChatId, ChannelError> {
        self.inner.open_direct(person).await
    }
}

#[tokio::test]
async fn oc_11969_new_token_does_not_skip_messages() {
    let mut bench = Bench::new(PLAIN);
    for (name, expect) in [
        ("first", None),
        ("first", Some("read by first")),
        // Another token: its stream has another place for everything.
        ("second", None),
        ("second", Some("read by second")),
        ("first", Some("read by first")),
    ] {
        let account = Arc::new(Account {
            inner: bench.platform.adapter(one()),
            name,
            began_at: std::sync::Mutex::default(),
        });
        let adapter: Arc<dyn ChannelAdapter> = Arc::<Account>::clone(&account);
        bench.adapter = Some(adapter);
        let host = bench.start().await;
        let began = until("the adapter runs", async || {
            account.began_at.lock().unwrap().first().cloned()
        })
        .await;
        assert_eq!(began.as_deref(), expect, "{name}");
        let identity = host.on_record(&one()).await.identity.unwrap();
        assert_eq!(identity.as_str(), name);
        bench = host.stop().await;
    }
}
