use std::{
    io::{BufRead, BufReader},
    os::unix::net::UnixListener,
    thread,
};

use serde_json::Value;

use super::*;

/// Plays a host that sends `script` after the first message; gives what the client wrote.
fn play<T>(script: &'static str, talk: impl FnOnce(&mut Client) -> T) -> (T, Vec<Value>) {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("s");
    let listener = UnixListener::bind(&socket).unwrap();
    let host = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let lines = BufReader::new(stream.try_clone().unwrap()).lines();
        let mut heard: Vec<Value> = vec![];
        for line in lines.map_while(Result::ok) {
            heard.push(serde_json::from_str(&line).unwrap());
            let answer = match heard.len() {
                1 => "{\"type\":\"welcome\",\"name\":\"n\"}\n",
                2 => script,
                _ => continue,
            };
            stream.write_all(answer.as_bytes()).unwrap();
        }
        heard
    });
    let interrupts = Interrupts::catch().unwrap();
    let mut client = Client::connect(&socket, "n", &interrupts).unwrap();
    let told = talk(&mut client);
    drop(client);
    (told, host.join().unwrap())
}

const STORED: &str = r#"{"type":"accepted","id":"n-1","status":"stored"}
{"type":"typing"}
{"type":"message","id":"a","in_reply_to":"n-1","text":"hi"}
{"type":"message","id":"a","in_reply_to":"n-1","text":"hi"}
{"type":"message","id":"b","in_reply_to":"n-2","text":"hi"}
"#;

#[test]
fn a_round_trip_ends_with_its_answer() {
    let (told, heard) = play(STORED, |client| {
        client.round_trip("hello").unwrap();
        client.answer().unwrap()
    });
    let second = Answer {
        id: "b".to_owned(),
        to: Some("n-2".to_owned()),
    };
    assert_eq!(told, second);
    assert_eq!(
        heard,
        [
            json!({"type": "hello", "name": "n", "acks": true}),
            json!({"type": "message", "id": "n-1", "text": "hello"}),
            json!({"type": "ack", "id": "a"}),
            // It came again.
            json!({"type": "ack", "id": "a"}),
        ]
    );
}

#[test]
fn what_must_be_declined_is_declined_for_that_reason() {
    let check = |script, expected: Option<&str>| {
        let (told, _) = play(script, |client| client.be_declined("hello", "not_engaged"));
        match (told, expected) {
            (Ok(()), None) => {}
            (Err(err), Some(expected)) if err.to_string().contains(expected) => {}
            (told, _) => panic!("{script}: {told:?}"),
        }
    };
    check(
        "{\"type\":\"accepted\",\"id\":\"n-1\",\"status\":\"declined\",\"reason\":\"not_engaged\"}\n",
        None,
    );
    check(
        "{\"type\":\"accepted\",\"id\":\"n-1\",\"status\":\"declined\",\"reason\":\"not_wired\"}\n",
        Some("but declined: not_wired"),
    );
    check(STORED, Some("but stored"));
    check(
        "{\"type\":\"error\",\"what\":\"too busy\"}\n",
        Some("too busy"),
    );
}

#[test]
fn what_is_no_answer_is_an_error() {
    let check = |script, expected: &str| {
        let (told, _) = play(script, |client| client.round_trip("hello"));
        let said = told.unwrap_err().to_string();
        assert!(said.contains(expected), "{said}");
    };
    check(
        "{\"type\":\"accepted\",\"id\":\"n-1\",\"status\":\"declined\",\"reason\":\"no agent\"}\n",
        "declined: no agent",
    );
    check(
        "{\"type\":\"message\",\"id\":\"a\",\"voice\":\"host\",\"text\":\"gave up\"}\n",
        "the host said: gave up",
    );
    check("{\"type\":\"error\",\"what\":\"too busy\"}\n", "too busy");
    check(
        "{\"type\":\"message\",\"id\":\"a\",\"in_reply_to\":\"n-0\",\"text\":\"hi\"}\n",
        "n-1 was said",
    );
}
