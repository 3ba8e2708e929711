use anchorhold_channel::{Answered, ChannelError, fake::question_id};
use anchorhold_core::outbound::Voice;

use super::*;
use crate::{
    tests::kit::{Host, Raw, post},
    wire::AcceptedStatus,
};

async fn connect(host: &Host, random: u8) -> Client {
    Client::connect(&host.socket, "work", [random; 10])
        .await
        .unwrap()
}

fn message(line: Option<ServerLine>) -> String {
    match line {
        Some(ServerLine::Message { text, voice, .. }) => {
            assert_eq!(voice, Voice::Agent);
            text
        }
        other => panic!("not a message: {other:?}"),
    }
}

#[tokio::test]
async fn a_client_says_and_hears() {
    let host = Host::start().await;
    let mut client = connect(&host, 1).await;
    let file = WireFile {
        name: "a".into(),
        data: vec![1, 2, 3],
    };
    let id = client.say("hi", vec![file]).await.unwrap();
    let status = AcceptedStatus::Stored;
    let reason = None;
    let accepted = ServerLine::Accepted { id, status, reason };
    assert_eq!(client.next().await.unwrap(), Some(accepted));

    let id = client.say("again", vec![]).await.unwrap();
    client.say_as(&id, "again", vec![]).await.unwrap();
    client.next().await.unwrap();
    let status = AcceptedStatus::Duplicate;
    let reason = None;
    let accepted = ServerLine::Accepted { id, status, reason };
    assert_eq!(client.next().await.unwrap(), Some(accepted));
    assert_eq!(host.intake.events().len(), 2);
}

#[tokio::test]
async fn a_client_answers_and_hears_what_became_of_it() {
    let host = Host::start().await;
    let mut client = connect(&host, 1).await;
    let question = question_id(1);
    client.answer(question, 2).await.unwrap();
    let answered = |taken, text: &str| ServerLine::Answered {
        question,
        taken,
        text: text.to_owned(),
    };
    let line = client.next().await.unwrap();
    assert_eq!(line, Some(answered(true, "taken")));
    assert_eq!(host.intake.answers()[0].option, 1);

    let refusal = Answered::Refused("too late".into());
    host.intake.set_answered(refusal);
    client.answer(question, 1).await.unwrap();
    let line = client.next().await.unwrap();
    assert_eq!(line, Some(answered(false, "too late")));
}

#[tokio::test]
async fn a_line_is_acknowledged_when_the_caller_comes_back() {
    let host = Host::start().await;
    let mut client = connect(&host, 1).await;
    let read = async {
        assert_eq!(message(client.next().await.unwrap()), "first");
        assert!(host.sends_pending());
        client.close().await.unwrap();
    };
    let (sent, ()) = tokio::join!(host.send("work", post("first"), 1), read);
    sent.unwrap();
}

#[tokio::test]
async fn what_comes_again_after_a_broken_connection_is_seen_once() {
    let host = Host::start().await;
    let mut client = connect(&host, 1).await;
    // The caller gets the line, and the connection breaks before it comes back for more.
    let read = async {
        assert_eq!(message(client.next().await.unwrap()), "once");
        client.reconnect().await.unwrap();
    };
    let (sent, ()) = tokio::join!(host.send("work", post("once"), 1), read);
    assert!(matches!(sent, Err(ChannelError::Absent)), "{sent:?}");
    let resend = async {
        host.send("work", post("once"), 1).await.unwrap();
        host.send("work", post("then"), 2).await
    };
    let read = async {
        assert_eq!(message(client.next().await.unwrap()), "then");
        client.close().await.unwrap();
    };
    let (sent, ()) = tokio::join!(resend, read);
    sent.unwrap();
}

#[tokio::test]
async fn several_clients_of_one_conversation_see_the_same() {
    let host = Host::start().await;
    let mut one = connect(&host, 1).await;
    let mut two = connect(&host, 2).await;
    let read = async {
        assert_eq!(message(one.next().await.unwrap()), "to all");
        assert_eq!(message(two.next().await.unwrap()), "to all");
        one.close().await.unwrap();
    };
    let (sent, ()) = tokio::join!(host.send("work", post("to all"), 1), read);
    sent.unwrap();
}

#[tokio::test]
async fn a_client_hears_why_it_is_not_let_in() {
    let host = Host::start().await;
    let refused = Client::connect(&host.socket, "", [1; 10]).await;
    let refused = refused.map(|_client| ()).unwrap_err().to_string();
    assert_eq!(refused, "the host says: chat id is empty");

    let nowhere = host.socket.with_extension("none");
    let nobody = Client::connect(&nowhere, "work", [1; 10]).await;
    assert!(matches!(nobody, Err(ClientError::Connect { .. })));

    let mut clients = Vec::new();
    for _ in 0..crate::adapter::CLIENTS_LIMIT {
        clients.push(Raw::connect(&host.socket).await);
    }
    let extra = Client::connect(&host.socket, "work", [1; 10]).await;
    let extra = extra.map(|_client| ()).unwrap_err().to_string();
    assert_eq!(extra, "the host says: too many clients");
}

#[tokio::test]
async fn the_end_of_the_host_is_the_end_of_the_lines() {
    let host = Host::start().await;
    let mut client = connect(&host, 1).await;
    host.stop().await;
    assert_eq!(client.next().await.unwrap(), None);
    assert!(client.reconnect().await.is_err());
}

#[test]
fn ids_are_forgotten_in_order() {
    let mut seen = Seen::default();
    for number in 0..=SEEN_LIMIT {
        assert!(seen.insert(&number.to_string()));
    }
    assert!(!seen.insert(&SEEN_LIMIT.to_string()));
    assert!(!seen.insert("1"));
    assert!(seen.insert("0"));
}
