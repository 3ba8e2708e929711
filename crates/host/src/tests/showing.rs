//! That a turn runs is shown where it was asked for, and no longer than it runs.

use anchorhold_channel::{ChannelError, fake::Scripted};

use super::*;

const SECOND: Duration = Duration::from_secs(1);

/// Waits until so many turns run.
async fn until_turns(host: &Host, count: usize) {
    until(&format!("{count} turns run"), async || {
        let base = &host.graph.base;
        (base.live.turns(base.mono()).len() == count).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_turn_is_shown_for_as_long_as_it_runs() {
    let mut host = Bench::with_caps(PLAIN, all_caps()).start().await;
    host.stored("m1").await;
    let mut inside = host.enter().await;
    inside.claim();
    until_turns(&host, 1).await;
    // A turn that is over soon is not shown.
    assert_eq!(host.seen(&address("c")), Vec::<String>::new());
    host.advance(SECOND);
    assert_eq!(host.until_seen(&address("c"), 1).await, ["typing"]);
    host.advance(SECOND * 5);
    assert_eq!(host.until_seen(&address("c"), 2).await, ["typing"; 2]);
    inside.answer();
    let seen = host.until_seen(&address("c"), 3).await;
    assert_eq!(seen, ["typing", "typing", "agent: re text of m1"]);
    until_turns(&host, 0).await;
    host.advance(SECOND * 5);
    host.stored("m2").await;
    inside.answer();
    let seen = host.until_seen(&address("c"), 4).await;
    assert_eq!(seen[3], "agent: re text of m2");
}

/// A platform that shows no such thing, or fails at it, is left in peace, and the answer comes.
#[tokio::test]
async fn what_can_not_be_shown_is_left() {
    for support in [Support::No, Support::Yes] {
        let caps = ChannelCaps {
            typing: support,
            ..all_caps()
        };
        let mut host = Bench::with_caps(PLAIN, caps).start().await;
        host.stored("m1").await;
        let mut inside = host.enter().await;
        inside.claim();
        until_turns(&host, 1).await;
        if support.is_yes() {
            let reason = "scripted".to_owned();
            host.platform()
                .script(Scripted::Fail(ChannelError::Permanent { reason }));
        }
        host.advance(SECOND);
        let looked = host.platform().until_sends(SECOND, 1).await;
        assert_eq!(looked, support.is_yes());
        host.advance(SECOND * 5);
        inside.answer();
        let seen = host.until_seen(&address("c"), 1).await;
        assert_eq!(seen, ["agent: re text of m1"]);
    }
}
