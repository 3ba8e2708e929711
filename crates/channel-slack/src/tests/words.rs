//! What people read.

use anchorhold_channel::{ChannelAdapter as _, fit::fit};
use anchorhold_core::outbound::{OutboundOp, Voice};

use super::bench::{ANNS, Bench, post};

#[tokio::test]
async fn markup_is_slacks_own_and_nothing_is_fetched() {
    let bench = Bench::start().await;
    let shown = bench
        .shows("**Bold**, _it_, [a link](https://x.example/?a=1&b=2) & `a < b`")
        .await;
    assert_eq!(
        shown.source,
        "*Bold*, _it_, <https://x.example/?a=1&amp;b=2|a link> &amp; `a &lt; b`"
    );
    let sent = bench.fake.calls("chat.postMessage").remove(0);
    assert_eq!(sent["unfurl_links"], "false");
    assert_eq!(sent["unfurl_media"], "false");
    bench.stop().await;
}

/// Of the reference: every bare `@word` became a mention, in addresses and code, too.
#[tokio::test]
async fn nobody_is_named_but_by_id() {
    let bench = Bench::start().await;
    let text = "@ann, mail@ann.example, `@scope/pkg`, <!channel> and <@U0ANN|Ann>";
    let shown = bench.shows(text).await;
    assert_eq!(
        shown.source,
        "@ann, mail@ann.example, `@scope/pkg`, &lt;!channel&gt; and <@U0ANN>"
    );
    bench.stop().await;
}

#[tokio::test]
async fn words_of_the_host_are_marked() {
    let bench = Bench::start().await;
    let op = OutboundOp::Post {
        text: "waiting".to_owned(),
        files: Vec::new(),
        reply_to: None,
        voice: Voice::Host,
    };
    bench.send((ANNS, None), &op, 1).await.unwrap();
    assert_eq!(bench.texts(ANNS, None), ["⚙ waiting"]);
    bench.stop().await;
}

/// Whatever is in a text that was fitted, Slack takes it as one message, and as a change of one.
#[tokio::test]
async fn the_longest_text_is_taken_whole() {
    let bench = Bench::start().await;
    let limit = bench.adapter.caps().text;
    let texts = [
        "x".repeat(9_000),
        "&<>*_".repeat(1_800),
        "**a** ".repeat(1_500),
    ];
    let mut key = 0;
    for text in texts {
        for part in fit(&text, limit) {
            key += 1;
            let sent = bench.send((ANNS, None), &post(&part), key).await.unwrap();
            let target = sent.message_id.unwrap();
            assert!(!bench.fake.seen(ANNS, None).is_empty());
            if !part.contains('&') {
                let edit = OutboundOp::Edit { target, text: part };
                key += 1;
                bench.send((ANNS, None), &edit, key).await.unwrap();
            }
        }
    }
    bench.stop().await;
}

#[tokio::test]
async fn a_text_that_is_only_marks_is_said_as_it_is() {
    let bench = Bench::start().await;
    assert_eq!(
        bench.shows("[](https://x.example)").await.source,
        "[](https://x.example)"
    );
    bench.stop().await;
}
