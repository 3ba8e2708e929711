//! What a sandbox says is judged row by row, and goes only where it was asked.

use anchorhold_channel::{FilesOut, TextLimit};
use anchorhold_core::{
    entity::{DeliveryStatus, MessageStatus},
    outbound::OutboundFile,
};
use anchorhold_sessiondb::{Handled, Outbound, Seq};

use super::*;
use crate::tests::inside::{post, post_file, said};

fn seq(number: i64) -> Seq {
    Seq::new(number).unwrap()
}

/// The refused rows of the only session, by number.
async fn rejected(host: &Host, count: usize) -> Vec<(i64, String)> {
    until("rows are refused", async || {
        let rows = host.store().rejected(100).await.unwrap();
        let mut rows: Vec<_> = rows
            .into_iter()
            .map(|row| (row.row.seq, row.row.why))
            .collect();
        rows.sort();
        (rows.len() == count).then_some(rows)
    })
    .await
}

#[tokio::test]
async fn rows_that_make_no_sense_are_refused_and_the_good_ones_delivered() {
    let mut host = Host::new(PLAIN).await;
    host.stored("m1").await;
    let mut inside = host.enter().await;
    let file = sql(&inside.out_dir.join("outbound.db"));
    file.execute_batch(
        r#"INSERT INTO messages (seq, in_reply_to, kind, version, payload, created_at) VALUES
           (3, 2, 'teleport', 1, '{}', 0),
           (5, 2, 'post', 9, '{"text":"later"}', 0),
           (7, 2, 'post', 1, 'no json', 0),
           (9, 2, 'post', 1, '{"text":""}', 0),
           (11, NULL, 'post', 1, '{"text":"to nobody"}', 0),
           (13, 40, 'post', 1, '{"text":"to no message"}', 0),
           (15, 11, 'post', 1, '{"text":"to itself"}', 0),
           (17, 2, 'post', 1, '{"text":"good"}', 0);"#,
    )
    .unwrap();
    inside.answer();
    let seen = host.until_seen(&address("c"), 2).await;
    assert_eq!(seen, ["agent: good", "agent: re text of m1"]);
    let lines = rejected(&host, 7).await;
    let lines: Vec<_> = lines
        .iter()
        .map(|(seq, why)| (*seq, why.as_str()))
        .collect();
    assert_eq!(
        lines,
        [
            (3, "unknown kind \"teleport\" version 1"),
            (5, "unknown kind \"post\" version 9"),
            (7, "bad payload of kind \"post\": not the JSON of this kind"),
            (9, "bad payload of kind \"post\": neither text nor files"),
            (11, "it answers no message"),
            (13, "it answers a message that the session never had"),
            (15, "it answers no message"),
        ]
    );
    host.until_status(2, MessageStatus::Done).await;
}

/// The numbers of other sessions mean nothing in this one.
#[tokio::test]
async fn a_sandbox_can_not_write_into_other_conversations() {
    let mut host = Host::new(PLAIN).await;
    host.hand_over(event_in("c", "m1")).await.unwrap();
    let mut inside = host.enter().await;
    // The other conversation has more messages than this one.
    for id in ["m1", "m2"] {
        host.hand_over(event_in("d", id)).await.unwrap();
    }
    let rows = inside.offer();
    let edit = Outbound::Edit {
        target: seq(4),
        text: "forged".to_owned(),
    };
    let handled = vec![(rows[0].seq, Handled::Done), (seq(4), Handled::Done)];
    let emit = vec![
        post(seq(4), "forged"),
        said(rows[0].seq, edit),
        post(rows[0].seq, "true"),
    ];
    inside.finish(handled, emit);
    let seen = host.until_seen(&address("c"), 2).await;
    assert_eq!(
        seen,
        [
            "agent: true",
            "host: Something the agent wanted to send could not be taken: the message it is about \
             was never sent",
        ]
    );
    assert_eq!(host.seen(&address("d")), Vec::<String>::new());
    // Nor can it end a message there.
    let other = host
        .sessions()
        .await
        .into_iter()
        .find(|id| *id != inside.id.session)
        .unwrap();
    let message = host.store().message(other, 4).await.unwrap().unwrap();
    assert_eq!(message.status, MessageStatus::Pending);
}

#[tokio::test]
async fn operations_on_earlier_messages_reach_what_they_mean() {
    let mut host = Host::new(PLAIN).await;
    host.stored("m1").await;
    let mut inside = host.enter().await;
    let m1 = inside.offer()[0].seq;
    let first = inside.finish(Vec::new(), vec![post(m1, "first")])[0];
    let text = "better".to_owned();
    let emoji = "👍".to_owned();
    let target = seq(first);
    inside.finish(
        vec![(m1, Handled::Done)],
        vec![
            said(m1, Outbound::Edit { target, text }),
            said(m1, Outbound::React { target: m1, emoji }),
            said(m1, Outbound::Delete { target }),
        ],
    );
    host.until_seen(&address("c"), 4).await;
    let sent = host
        .until_delivery(first, |delivery| delivery.status == DeliveryStatus::Sent)
        .await;
    let target = sent.platform_message_id.unwrap();
    let reply_to = Some(platform_id("m1"));
    assert_eq!(
        host.platform().seen(&address("c")),
        [
            OutboundOp::Post {
                text: "first".to_owned(),
                files: Vec::new(),
                reply_to,
                voice: Voice::Agent,
            },
            OutboundOp::Edit {
                target: target.clone(),
                text: "better".to_owned(),
            },
            OutboundOp::React {
                target: platform_id("m1"),
                emoji: "👍".to_owned(),
            },
            OutboundOp::Delete { target },
        ]
    );
}

#[tokio::test]
async fn files_go_along_unless_they_are_not_what_they_seem() {
    let caps = ChannelCaps {
        files: FilesOut::UpTo {
            text: TextLimit::Unlimited,
            count: 2,
            each_bytes: 100,
            total_bytes: 150,
        },
        ..quiet_caps()
    };
    let mut host = Bench::with_caps(PLAIN, caps).start().await;
    host.stored("m1").await;
    let mut inside = host.enter().await;
    let m1 = inside.offer()[0].seq;
    inside.finish(Vec::new(), vec![post_file(m1, "plain", "a.txt")]);
    host.until_seen(&address("c"), 1).await;
    let files = vec![OutboundFile {
        name: "a.txt".to_owned(),
        content: b"content".to_vec(),
    }];
    assert_eq!(
        host.platform().seen(&address("c")),
        [OutboundOp::Post {
            text: "plain".to_owned(),
            files,
            reply_to: Some(platform_id("m1")),
            voice: Voice::Agent,
        }]
    );

    // A link to what only the host may read.
    host.platform().pause();
    let second = inside.finish(Vec::new(), vec![post_file(m1, "link", "a.txt")])[0];
    let outbox = inside.out_dir.join("outbox");
    let path = outbox.join(second.to_string()).join("a.txt");
    // The rows were committed and the file is swapped before the host looks: it holds no handle.
    fs::remove_file(&path).unwrap();
    std::os::unix::fs::symlink(host.graph.base.dirs.database(), &path).unwrap();
    host.platform().resume();
    let third = inside.finish(vec![(m1, Handled::Done)], vec![post(m1, "after it")])[0];
    host.until_delivery(third, |delivery| delivery.status == DeliveryStatus::Sent)
        .await;
    let outcome = host
        .until_delivery(second, |delivery| {
            delivery.status != DeliveryStatus::Pending
        })
        .await;
    let seen = host.seen(&address("c"));
    assert!(seen.contains(&"agent: after it".to_owned()), "{seen:?}");
    assert_eq!(outcome.status, DeliveryStatus::Dead);
}
