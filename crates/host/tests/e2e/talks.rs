//! Messages go in, answers come out.

use std::fs;

use anchorhold_channel_cli::wire::WireFile;
use serde_json::json;

use crate::e2e::{
    harness::{Place, Printed},
    person::{agent_quotes, quoted},
    wall::Wall,
};

pub(crate) async fn a_pipe_of_two_lines_gets_both_answers_in_order(wall: Wall) {
    let mut place = Place::running(wall, "").await;
    let chat = place.cli(&["chat"], "hello\n!sh id -u\n").await;
    let out = format!("{}\n{}\nexit status 0\n", quoted("hello"), wall.uid());
    let expect = |out| Printed {
        code: Some(0),
        out,
        err: String::new(),
    };
    assert_eq!(chat, expect(out));
    let send = place.cli(&["send", "--wait", "!sh id -u"], "").await;
    assert_eq!(send, expect(format!("{}\nexit status 0\n", wall.uid())));
    assert_ne!(wall.uid(), 0);
    place.stop().await;
}

pub(crate) async fn a_message_that_is_given_up_fails_the_command(wall: Wall) {
    let mut place = Place::running(wall, "tries = 1").await;
    let told = "[anchorhold] Your message could not be answered: the agent stopped in the middle \
                of its work (exit status 7). It was tried once and is now given up.\n";
    let expect = |out: String| Printed {
        code: Some(1),
        out,
        err: String::new(),
    };
    let chat = place.cli(&["chat"], "!exit 7\nhello\n").await;
    assert_eq!(chat, expect(format!("{told}{}\n", quoted("hello"))));
    let send = place.cli(&["send", "--wait", "!exit 7"], "").await;
    assert_eq!(send, expect(told.to_owned()));
    place.stop().await;
}

pub(crate) async fn what_the_agent_can_do_arrives(wall: Wall) {
    let mut place = Place::running(wall, "").await;
    let mut person = place.person("local").await;
    let digits: String = "0123456789".chars().cycle().take(5000).collect();
    let said = person.say("!say 3 x\n!big 5000").await;
    let expected = ["x", "x", "x", &digits].map(|text| format!("agent: {text}"));
    assert_eq!(person.hears(4).await, expected);
    let of_it = person.heard.iter();
    assert!(of_it.clone().all(|heard| heard.to.as_ref() == Some(&said)));
    let environment = person.ask("!env").await;
    let mut lines: Vec<&str> = environment.trim_start_matches("agent: ").lines().collect();
    let is_proxy = |line: &&str| line.to_ascii_lowercase().contains("_proxy=");
    assert_eq!(lines.iter().filter(|line| is_proxy(line)).count(), 6);
    lines.retain(|line| !line.starts_with("ANCHORHOLD_SANDBOX=") && !is_proxy(line));
    lines.sort_unstable();
    let mut expected = vec![
        "HOME=/workspace",
        "LANG=C.UTF-8",
        "PATH=/anchorhold/bin:/usr/local/bin:/usr/bin:/bin",
        "TMPDIR=/tmp",
    ];
    match wall {
        Wall::Docker => expected.insert(1, "HOSTNAME=agent"),
        Wall::Sandbox => expected.insert(3, "PWD=/workspace"),
    }
    assert_eq!(lines, expected);
    place.stop().await;
}

pub(crate) async fn files_go_both_ways(wall: Wall) {
    let mut place = Place::running(wall, "").await;
    let mut person = place.person("local").await;
    let file = |name: &str, data: &[u8]| WireFile {
        name: name.to_owned(),
        data: data.to_owned(),
    };
    let order = "!sh echo hi > f\n!tool send_file {\"path\":\"/workspace/f\",\"name\":\"g\"}";
    let said = person.say(order).await;
    person.answer_to(&said).await;
    // The next message's answer proves that nothing more comes of this one.
    let bytes = b"from the person\n".to_vec();
    let with_file = person
        .say_with(
            "!sh cat /anchorhold/in/inbox/*/*",
            vec![file("n.txt", &bytes)],
        )
        .await;
    let read = person.answer_to(&with_file).await;
    assert_eq!(read.line(), "agent: from the person\nexit status 0");
    let files: Vec<&WireFile> = person.heard.iter().flat_map(|heard| &heard.files).collect();
    assert_eq!(files, [&file("g", b"hi\n")]);
    place.stop().await;
}

pub(crate) async fn thirty_at_once_are_answered_in_order(wall: Wall) {
    let mut place = Place::running(wall, "").await;
    let mut person = place.person("local").await;
    let words: Vec<String> = (1..=30).map(|n| format!("number {n}")).collect();
    person.say_at_once(&words).await;
    let mut expected: Vec<String> = words.iter().map(|text| agent_quotes(text)).collect();
    assert_eq!(person.hears(30).await, expected);
    person.ask("the last").await;
    expected.push(agent_quotes("the last"));
    assert_eq!(person.lines(), expected);
    let work = place.status().await["work"].clone();
    assert_eq!(
        work,
        json!({
            "sessions": 1,
            "sessions_faulted": 0,
            "messages_pending": 0,
            "messages_failed": 0,
            "deliveries_pending": 0,
            "deliveries_parked": 0,
            "deliveries_dead": 0,
            "deliveries_unknown": 0,
            "oldest_message_at": null,
        })
    );
    place.stop().await;
}

pub(crate) async fn two_sessions_talk_at_once(wall: Wall) {
    let mut place = Place::running(wall, "").await;
    let (mut left, mut right) = (place.person("left").await, place.person("right").await);
    // Each waits for the other's mark: only together can they end.
    let meet = |own: &str, other: &str| {
        format!("!sh touch {own}; until [ -e {other} ]; do sleep 0.05; done; echo {own}")
    };
    let said = (
        left.say(&meet("left", "right")).await,
        right.say(&meet("right", "left")).await,
    );
    left.answer_to(&said.0).await;
    right.answer_to(&said.1).await;
    assert_eq!(left.lines(), ["agent: left\nexit status 0"]);
    assert_eq!(right.lines(), ["agent: right\nexit status 0"]);
    assert_eq!(place.sessions().await.len(), 2);
    place.stop().await;
}

pub(crate) async fn defect_18_what_nobody_reads_is_kept_and_comes_in_order(wall: Wall) {
    let mut place = Place::running(wall, "").await;
    let mut person = place.person("local").await;
    person.say("!sh until [ -e go ]; do sleep 0.05; done").await;
    person.say("second").await;
    person.leave().await;
    place
        .until_work("the sandbox works", |work| work["messages_pending"] == 2)
        .await;
    fs::create_dir_all(place.workspace("")).unwrap();
    fs::write(place.workspace("go"), "").unwrap();
    let work = place
        .until_work("the answers wait for their reader", |work| {
            work["messages_pending"] == 0 && work["deliveries_parked"] != 0
        })
        .await;
    assert_eq!(work["deliveries_pending"], 2);
    let mut person = place.person("local").await;
    let expected = ["agent: exit status 0".to_owned(), agent_quotes("second")];
    assert_eq!(person.hears(2).await, expected);
    let third = person.ask("third").await;
    let expected = [&expected[0], &expected[1], &third];
    assert_eq!(person.lines().iter().collect::<Vec<_>>(), expected);
    let delivered = |work: &serde_json::Value| work["deliveries_pending"] == 0;
    place.until_work("all is delivered", delivered).await;
    place.stop().await;
}

pub(crate) async fn defect_58_a_sandbox_has_a_log_and_no_log_has_the_words(wall: Wall) {
    let mut place = Place::running(wall, "tries = 1").await;
    let mut person = place.person("local").await;
    person.ask("the marker Zwiebelfisch").await;
    person
        .ask("!sh echo Zwiebelfisch; echo Zwiebelfisch >&2")
        .await;
    let failed = person.ask("!sh echo Zwiebelfisch\n!exit 5").await;
    assert!(failed.starts_with("host: "), "{failed}");
    person.ask("after the death").await;
    let session = place.session_id();
    let shown = place
        .cli(&["sessions", "show", &session, "--json"], "")
        .await;
    assert_eq!((shown.code, shown.err.as_str()), (Some(0), ""));
    let shown: serde_json::Value = serde_json::from_str(&shown.out).unwrap();
    let files = place
        .data()
        .canonicalize_utf8()
        .unwrap()
        .join("sessions")
        .join(&session);
    assert_eq!(shown["log"], files.join("sandbox.log").as_str());
    place.stop().await;
    let inner = fs::read_to_string(files.join("sandbox.log")).unwrap();
    assert!(!inner.is_empty());
    let logs = [place.log(), inner].concat();
    assert!(!logs.contains("Zwiebelfisch"), "{logs}");
    assert!(logs.contains("exit status 5"), "{logs}");
}
