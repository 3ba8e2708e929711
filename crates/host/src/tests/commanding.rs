//! What people can ask the host itself for, and who may.

use anchorhold_core::{access::Role, sandbox::ExitStatus};
use anchorhold_sessiondb::{Handled, Inbound, Seq};

use super::*;
use crate::tests::{
    inside::post,
    people::{asked, direct, heard, said, saying},
};

const SHARED: &str = "session = \"shared\"";

/// Everybody is heard, and each conversation is one memory.
fn open_to_all() -> String {
    heard("public", SHARED)
}

/// A group where the agent answers when it is addressed and keeps the rest.
fn in_group() -> String {
    heard(
        "public",
        &format!("engage = \"mention\"\nignored = \"accumulate\"\n{SHARED}"),
    )
}

/// What a sandbox finds to read: who says what.
fn attributed(inside: &mut Inside) -> Vec<String> {
    let rows = inside.offer().into_iter();
    let lines = rows.map(|row| match row.payload {
        Inbound::Chat(chat) => format!("{}: {}", chat.sender, chat.text),
        other
        @ (Inbound::Note(_) | Inbound::Answer(_) | Inbound::Task(_) | Inbound::Control(_)) => {
            format!("{other:?}")
        }
    });
    lines.collect()
}

/// The commands to the runner in a session's file: number and what.
fn controls(inside: &Inside) -> Vec<(i64, String)> {
    let file = sql(&inside.in_dir.join("inbound.db"));
    let mut query = file
        .prepare("SELECT seq, payload FROM messages WHERE kind = 'control' ORDER BY seq")
        .unwrap();
    let rows = query.query_map([], |row| Ok((row.get(0)?, row.get(1)?)));
    rows.unwrap().map(Result::unwrap).collect()
}

impl Host {
    async fn until_gone(&self, inside: &Inside) {
        until("the sandbox is gone", async || {
            let running = self.runtime().running();
            (!running.contains(&inside.id)).then_some(())
        })
        .await;
    }
}

#[tokio::test]
async fn defect_08_only_the_whole_word_is_a_command() {
    let mut host = Host::new(&open_to_all()).await;
    let texts = ["/clearx", "/new please", "/clear-all", "/stop!", "/"];
    for (text, id) in texts.into_iter().zip(["m1", "m2", "m3", "m4", "m5"]) {
        host.heard(saying(text, direct("ann", id))).await;
    }
    let lines = texts.map(|text| format!("ann: {text}"));
    assert_eq!(attributed(&mut host.enter().await), lines);
    assert_eq!(host.sessions().await.len(), 1);
    assert_eq!(host.platform().sends(), []);
}

#[tokio::test]
async fn defect_09_slash_text_goes_to_the_agent_with_its_sender() {
    let mut host = Host::new(&open_to_all()).await;
    host.heard(saying("/deploy now", asked("eve", "m1"))).await;
    host.heard(saying("/model x\n/new", asked("bob", "m2")))
        .await;
    assert_eq!(
        attributed(&mut host.enter().await),
        ["eve: /deploy now", "bob: /model x\n/new"]
    );
}

#[tokio::test]
async fn a_fresh_conversation_ends_everything_of_the_old_one() {
    for word in ["/new", "/clear", " /NEW \n"] {
        let mut host = Host::new(&open_to_all()).await;
        host.heard(direct("ann", "m1")).await;
        let mut inside = host.enter().await;
        inside.claim();
        host.heard(direct("ann", "m2")).await;
        let old = host.session().await;
        let said = host.tell(saying(word, direct("ann", "m3"))).await;
        assert_eq!(said, "host: helper begins afresh with your next message.");
        host.until_gone(&inside).await;
        host.until_empty().await;
        for seq in [2, 4] {
            let message = host.store().message(old, seq).await.unwrap().unwrap();
            assert_eq!((message.status, message.tries), (MessageStatus::Done, 0));
            let why = message.last_error.unwrap();
            assert_eq!(why, "the conversation was begun afresh", "{word:?}");
        }
        host.heard(direct("ann", "m4")).await;
        let mut fresh = host.enter().await;
        assert_ne!(fresh.id.session, old, "{word:?}");
        assert_eq!(fresh.texts(), ["text of m4"], "{word:?}");
        // Nothing wakes the old one any more.
        host.advance(Duration::from_mins(2));
        assert_eq!(host.bench.runtime.specs().len(), 2, "{word:?}");
        let said = host.tell(saying("/new", direct("bob", "m1"))).await;
        assert_eq!(said, "host: helper has nothing to forget here.");
    }
}

#[tokio::test]
async fn defect_24_what_takes_an_admin_is_refused_with_an_answer() {
    let mut host = Host::new(&in_group()).await;
    let helper = host.agent("helper").await.id;
    host.heard(asked("ann", "m1")).await;
    let session = host.session().await;
    for (word, id) in [
        ("/new", "c1"),
        ("/clear", "c2"),
        ("/compact", "c3"),
        ("/cost", "c4"),
    ] {
        let said = host.tell(saying(word, asked("ann", id))).await;
        let word = word.replace("/clear", "/new");
        assert_eq!(
            said,
            format!("host: You may not use {word} here: it takes an admin of the agent.")
        );
    }
    assert_eq!(host.session().await, session);
    assert_eq!(host.enter().await.texts(), ["text of m1"]);

    host.grant("gus", Role::GroupAdmin(helper)).await;
    let said = host.tell(saying("/new", asked("gus", "c5"))).await;
    assert_eq!(said, "host: helper begins afresh with your next message.");
    host.heard(asked("ann", "m2")).await;
    assert_eq!(host.sessions().await.len(), 2);
}

/// The one person of a direct chat may not wipe what other conversations feed, too.
#[tokio::test]
async fn a_shared_memory_is_not_one_persons_to_forget() {
    let host = Host::new(&heard("public", "session = \"agent-shared\"")).await;
    host.heard(direct("ann", "m1")).await;
    let said = host.tell(saying("/new", direct("ann", "c1"))).await;
    let refusal = "host: You may not use /new here: it takes an admin of the agent.";
    assert_eq!(said, refusal);
}

#[tokio::test]
async fn help_lists_what_the_person_may_use() {
    let host = Host::new(&in_group()).await;
    host.grant("ada", Role::Admin).await;
    let talker = ["/help", "/status", "/where", "/agent", "/stop"];
    let all = [
        "/help", "/status", "/where", "/agent", "/stop", "/new", "/clear", "/compact", "/cost",
    ];
    for (id, event, words) in [
        ("h1", asked("ann", "h1"), &talker[..]),
        ("h2", asked("ada", "h2"), &all[..]),
        ("h3", direct("ann", "h3"), &all[..]),
    ] {
        let said = host.tell(saying("/help", event)).await;
        let mut lines: Vec<&str> = said.lines().collect();
        let last = lines.pop().unwrap();
        assert_eq!(
            last,
            "Anything else that begins with a slash is text for the agent."
        );
        let listed: Vec<&str> = lines
            .iter()
            .map(|line| line.trim_start_matches("host: "))
            .filter_map(|line| line.split(':').next())
            .collect();
        assert_eq!(listed, words, "{id}");
    }
}

#[tokio::test]
async fn status_agent_and_cost_tell_how_the_agent_fares() {
    let mut host = Host::new(&open_to_all()).await;
    let mut asks = 0;
    let mut ask = async |host: &Host, word: &str| {
        asks += 1;
        host.tell(saying(word, direct("ann", &format!("c{asks}"))))
            .await
    };
    let sleeps = "host: helper sleeps and has nothing to do.";
    assert_eq!(ask(&host, "/status").await, sleeps);
    let nothing = "host: helper has taken in 0 messages of this conversation and sent 0 answers. \
                   It calls no model, so it has cost nothing.";
    assert_eq!(ask(&host, "/cost").await, nothing);
    assert_eq!(
        ask(&host, "/agent").await,
        "host: helper answers everything, with one memory for this conversation."
    );
    assert_eq!(host.sessions().await, []);
    host.heard(direct("ann", "m1")).await;
    let mut inside = host.enter().await;
    assert_eq!(
        ask(&host, "/status").await,
        "host: helper is at work, 1 to answer."
    );
    inside.answer();
    host.until_status(2, MessageStatus::Done).await;
    until("the answer is sent", async || {
        let seen = host.seen(&direct("ann", "x").address);
        seen.contains(&"agent: re text of m1".to_owned())
            .then_some(())
    })
    .await;
    let awake = "host: helper is awake and has nothing to do.";
    assert_eq!(ask(&host, "/status").await, awake);
    let one = "host: helper has taken in one message of this conversation and sent one answer. It \
               calls no model, so it has cost nothing.";
    assert_eq!(ask(&host, "/cost").await, one);
    assert_eq!(inside.texts(), Vec::<String>::new());
}

#[tokio::test]
async fn where_tells_what_became_of_the_last_message() {
    let mut host = Host::new(&in_group()).await;
    let mut asks = 0;
    let mut ask = async |host: &Host| {
        asks += 1;
        host.tell(saying("/where", asked("ann", &format!("w{asks}"))))
            .await
    };
    let none = "host: No agent has heard a message of yours here.";
    assert_eq!(ask(&host).await, none);
    let said_at = "host: helper: your last message, of 2026-01-01T00:00:00Z,";
    host.heard(said("ann", "m1")).await;
    let context = format!("{said_at} is kept as context for a later one.");
    assert_eq!(ask(&host).await, context);
    host.heard(asked("ann", "m2")).await;
    host.heard(asked("bob", "m3")).await;
    assert_eq!(ask(&host).await, format!("{said_at} waits to be answered."));

    let mut inside = host.enter().await;
    let rows = inside.offer();
    assert_eq!(rows.len(), 3);
    let done = rows.iter().map(|row| (row.seq, Handled::Done)).collect();
    inside.finish(done, vec![post(rows[1].seq, "answer")]);
    host.until_status(4, MessageStatus::Done).await;
    until("the answer is sent", async || {
        let seen = host.seen(&address("g"));
        seen.contains(&"agent: answer".to_owned()).then_some(())
    })
    .await;
    let answered = format!("{said_at} was taken in. Its post is sent.");
    assert_eq!(ask(&host).await, answered);

    host.heard(asked("ann", "m4")).await;
    let seq = inside.claim()[0];
    let why = "no luck".to_owned();
    inside.finish(vec![(seq, Handled::Failed { why })], Vec::new());
    host.until_status(seq.get(), MessageStatus::Failed).await;
    until("the failure is told", async || {
        let seen = host.seen(&address("g"));
        let told = |line: &String| line.ends_with("could not be answered: no luck");
        seen.iter().any(told).then_some(())
    })
    .await;
    let failed = ask(&host).await;
    assert!(
        failed.starts_with(&format!("{said_at} was given up: no luck.")),
        "{failed}"
    );
}

#[tokio::test]
async fn a_running_turn_is_stopped_and_never_tried_again() {
    let mut host = Host::new(&open_to_all()).await;
    let nothing = host.tell(saying("/stop", direct("ann", "c0"))).await;
    assert_eq!(nothing, "host: helper is doing nothing.");
    host.heard(direct("ann", "m1")).await;
    let mut inside = host.enter().await;
    let taken = inside.claim();
    let said = host.tell(saying("/stop", direct("ann", "c1"))).await;
    assert_eq!(said, "host: helper is told to stop.");
    let told = controls(&inside);
    assert_eq!(told.len(), 1);
    assert!(told[0].1.contains("stop"), "{told:?}");
    let stop = Seq::new(told[0].0).unwrap();
    let handled = vec![(taken[0], Handled::Stopped), (stop, Handled::Done)];
    inside.finish(handled, Vec::new());
    host.until_status(taken[0].get(), MessageStatus::Done).await;
    host.until_status(stop.get(), MessageStatus::Done).await;
    until("whoever waits for the answer is told", async || {
        let seen = host.seen(&direct("ann", "m1").address);
        let told = |line: &String| line == "host: Stopped; your message is not answered.";
        seen.iter().any(told).then_some(())
    })
    .await;
    inside.die(ExitStatus::Signal(9));
    host.until_empty().await;
    host.advance(Duration::from_mins(5));
    let due = host.store().due_sessions(host.graph.base.now(), 10).await;
    assert_eq!(due.unwrap(), []);
    assert_eq!(host.message(taken[0].get()).await.tries, 0);
    assert_eq!(host.runtime().specs().len(), 1);
}

#[tokio::test]
async fn what_waits_for_a_place_is_taken_back() {
    let mut host = Host::new(&format!("[host]\nmax_sandboxes = 1\n{}", open_to_all())).await;
    host.heard(direct("bob", "m1")).await;
    let mut busy = host.enter().await;
    busy.claim();
    host.heard(direct("ann", "m1")).await;
    host.heard(direct("ann", "m2")).await;
    let said = host.tell(saying("/stop", direct("ann", "c1"))).await;
    assert_eq!(said, "host: helper had not begun; taken back: 2 messages.");
    let session = host.sessions().await[1];
    for seq in [2, 4] {
        let message = host.store().message(session, seq).await.unwrap().unwrap();
        assert_eq!(message.status, MessageStatus::Done);
    }
    let files = host.graph.base.files(session);
    assert_eq!(files.open_messages(10).unwrap(), []);
    host.heard(direct("ann", "m3")).await;
    let rows = busy.offer();
    assert_eq!(rows.len(), 1);
    busy.answer();
    busy.die(ExitStatus::Code(0));
    assert_eq!(host.enter().await.texts(), ["text of m3"]);
}

#[tokio::test]
async fn a_command_that_is_offered_again_is_done_once() {
    let mut host = Host::new(&open_to_all()).await;
    let none = host.tell(saying("/compact", direct("ann", "c0"))).await;
    assert_eq!(none, "host: helper remembers nothing here.");
    host.heard(direct("ann", "m1")).await;
    let mut inside = host.enter().await;
    inside.answer();
    host.until_status(2, MessageStatus::Done).await;
    let compact = || saying("/compact", direct("ann", "c1"));

    // It was done, but not put on record.
    host.break_table("INSERT", "events").await;
    let failed = host.hand_over(compact()).await;
    assert!(
        matches!(failed, Err(IntakeError::Unavailable(_))),
        "{failed:?}"
    );
    host.mend_table().await;
    host.heard(compact()).await;
    let again = host.hand_over(compact()).await.unwrap();
    assert_eq!(again, Accepted::Duplicate);
    let told = controls(&inside);
    assert_eq!(told.len(), 1);
    assert!(told[0].1.contains("compact"), "{told:?}");

    // Nor does one that is said again wipe what came after it.
    let new = || saying("/new", direct("ann", "c2"));
    host.tell(new()).await;
    host.heard(direct("ann", "m2")).await;
    let again = host.hand_over(new()).await.unwrap();
    assert_eq!(again, Accepted::Duplicate);
    let fresh = host.sessions().await[1];
    assert_eq!(host.in_file(fresh).await, ["m2"]);
    let row = host.store().session(fresh).await.unwrap().unwrap();
    assert_eq!(row.closed_at, None);
}

#[tokio::test]
async fn the_command_to_compact_wakes_the_agent() {
    let mut host = Host::new(&open_to_all()).await;
    host.heard(direct("ann", "m1")).await;
    let mut inside = host.enter().await;
    inside.answer();
    host.until_status(2, MessageStatus::Done).await;
    host.until_seen(&direct("ann", "x").address, 1).await;
    host.let_go(inside).await;
    let said = host.tell(saying("/compact", direct("ann", "c1"))).await;
    assert_eq!(said, "host: helper is asked to make its memory smaller.");
    let inside = host.enter().await;
    assert_eq!(controls(&inside).len(), 1);
}

#[tokio::test]
async fn an_answer_to_no_question_is_told_so() {
    let host = Host::new(&open_to_all()).await;
    for (text, id) in [("/answer 00ff00 1", "a1"), ("/answer ff 2", "a2")] {
        let said = host.tell(saying(text, direct("ann", id))).await;
        assert_eq!(
            said,
            "host: There is no open question with that code; it may have been answered already.",
            "{text}"
        );
    }
    // What is not written so is text.
    for (text, id) in [
        ("/answer", "a3"),
        ("/answer 00ff00 0", "a4"),
        ("/answer a b c", "a5"),
    ] {
        host.heard(saying(text, direct("ann", id))).await;
    }
    assert_eq!(host.in_file(host.session().await).await, ["a3", "a4", "a5"]);
}

#[tokio::test]
async fn commands_of_strangers_are_declined_like_anything_they_say() {
    let words = [
        "/help",
        "/status",
        "/where",
        "/new",
        "/stop",
        "/answer 00ff00 1",
    ];
    for (policy, reason) in [
        ("strict", "unknown_sender"),
        ("request_approval", "awaits_approval"),
    ] {
        let host = Host::new(&heard(policy, "")).await;
        for (word, id) in words.into_iter().zip(["1", "2", "3", "4", "5", "6"]) {
            host.declined(saying(word, asked("eve", id)), reason).await;
        }
        assert_eq!(host.sessions().await, []);
    }
}

#[tokio::test]
async fn a_command_in_a_group_is_one_only_if_it_is_meant_for_the_bot() {
    // Not addressed: it is what any other message is.
    let host = Host::new(&in_group()).await;
    host.heard(saying("/status", said("ann", "m1"))).await;
    assert_eq!(host.in_file(host.session().await).await, ["m1"]);
    assert_eq!(host.platform().sends(), []);
    let host = Host::new(&heard("public", "engage = \"mention\"")).await;
    let event = saying("/status", said("ann", "m1"));
    host.declined(event, "not_engaged").await;
    // Addressed, or engaging an agent as it stands.
    host.tell(saying("/status", asked("ann", "m2"))).await;
    let host = Host::new(&open_to_all()).await;
    host.tell(saying("/status", said("ann", "m1"))).await;
    assert_eq!(host.sessions().await, []);
}
