use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use anchorhold_core::turn_failure::FailureClass;
use anchorhold_sessiondb::{
    About, Answer, Chat, Emit, Inbound, InboundRow, InboxFile, Note, Outbound, Outcome, Seq,
};
use camino::Utf8PathBuf;
use jiff::Timestamp;

use crate::{
    children::Children,
    desk::tests::Clerk,
    follow_ups::FollowUps,
    provider::{AgentProvider, Turn, TurnError, TurnIo, TurnOutcome, offline::Offline},
    tools::Tools,
};

struct Bench {
    clerk: Clerk,
    dir: tempfile::TempDir,
    beats: Arc<Mutex<Vec<Option<Duration>>>>,
}

impl Bench {
    fn new() -> Self {
        Self {
            clerk: Clerk::new(Outcome::Sent),
            dir: tempfile::tempdir().unwrap(),
            beats: Arc::default(),
        }
    }

    fn io(&self) -> TurnIo {
        let workspace = Utf8PathBuf::from_path_buf(self.dir.path().to_owned()).unwrap();
        let environment = vec![
            ("A".to_owned(), "1".to_owned()),
            ("B".to_owned(), String::new()),
        ];
        let tools = Tools::new(workspace, environment, Arc::new(Children::default()));
        let beats = Arc::clone(&self.beats);
        TurnIo::new(
            move |declared| beats.lock().unwrap().push(declared),
            Arc::new(tools),
        )
        .with_desk(Arc::clone(&self.clerk.desk))
    }

    async fn turn(&self, messages: Vec<InboundRow>) -> Result<TurnOutcome, TurnError> {
        self.turn_after(0, messages).await
    }

    async fn turn_after(
        &self,
        failures: u32,
        messages: Vec<InboundRow>,
    ) -> Result<TurnOutcome, TurnError> {
        let turn = Turn {
            agent_name: "Ada".to_owned(),
            messages,
            state: std::collections::BTreeMap::new(),
            failures,
        };
        Offline.run_turn(turn, self.io()).await
    }

    async fn say(&self, text: &str) -> Vec<String> {
        let outcome = self.turn(vec![row(4, text)]).await.unwrap();
        assert_eq!(outcome.state, vec![]);
        let said = self.clerk.said();
        said.iter().chain(&outcome.emit).map(show).collect()
    }

    async fn check(&self, text: &str, expect: &[&str]) {
        assert_eq!(self.say(text).await, expect, "{text:?}");
    }
}

fn row(seq: i64, text: &str) -> InboundRow {
    InboundRow {
        seq: Seq::new(seq).unwrap(),
        triggers: true,
        tries: 0,
        failures: 0,
        place: "cli/c1".to_owned(),
        created_at: Timestamp::UNIX_EPOCH,
        payload: Inbound::Chat(Chat {
            channel: "cli".to_owned(),
            sender: "u1".to_owned(),
            sender_name: None,
            about: None,
            text: text.to_owned(),
            sent_at: Timestamp::UNIX_EPOCH,
            reply_to: None,
            files: Vec::new(),
        }),
    }
}

fn show(emit: &Emit) -> String {
    let to = emit.in_reply_to.map_or(0, Seq::get);
    let files: Vec<String> = emit
        .files
        .iter()
        .map(|file| format!("[{} {}]", file.name, String::from_utf8_lossy(&file.content)))
        .collect();
    let files = files.concat();
    match &emit.op {
        Outbound::Post { text, .. } => format!("{to}> {text}{files}"),
        Outbound::Edit { target, text } => format!("{to}> edit {target}: {text}"),
        Outbound::Delete { target } => format!("{to}> delete {target}"),
        Outbound::React { target, emoji } => format!("{to}> react {target}: {emoji}"),
        Outbound::Ask {
            title,
            text,
            options,
            expires_ms,
        } => format!("{to}> ask {title}: {text} {options:?} {expires_ms:?}"),
    }
}

const HEARD: &str = "4> I am the offline agent: I follow a script and understand nothing.";

#[tokio::test]
async fn plain_messages_are_quoted() {
    let bench = Bench::new();
    bench
        .check("hello", &[&format!("{HEARD} You wrote: “hello”")])
        .await;
    bench
        .check(
            " !sh not at the beginning\n",
            &[&format!("{HEARD} You wrote: “!sh not at the beginning”")],
        )
        .await;
    bench.check("", &[HEARD]).await;
    let about = |about, text: &str| {
        let mut row = row(4, text);
        if let Inbound::Chat(chat) = &mut row.payload {
            chat.about = Some(about);
        }
        row
    };
    let seq = Seq::new(2);
    for (row, expect) in [
        (
            about(About::Edit { of: seq }, "better"),
            "You changed message #2 to: “better”",
        ),
        (
            about(About::Reaction { to: None }, "👍"),
            "You reacted to a message that I do not know: “👍”",
        ),
    ] {
        let outcome = bench.turn(vec![row]).await.unwrap();
        let said: Vec<String> = outcome.emit.iter().map(show).collect();
        assert_eq!(said, [format!("{HEARD} {expect}")]);
    }
    let long = "ä".repeat(201);
    bench
        .check(
            &long,
            &[&format!("{HEARD} You wrote: “{}…”", "ä".repeat(200))],
        )
        .await;
    let mut with_file = row(4, "");
    let Inbound::Chat(chat) = &mut with_file.payload else {
        panic!("no chat message")
    };
    let file = InboxFile {
        name: "a".to_owned(),
        path: "inbox/4/a".to_owned(),
        media_type: None,
        len: 1,
    };
    chat.files = vec![file];
    let outcome = bench.turn(vec![with_file]).await.unwrap();
    assert_eq!(
        outcome.emit.iter().map(show).collect::<Vec<_>>(),
        [format!("{HEARD} You sent one file.")]
    );
}

#[tokio::test]
async fn sh_answers_output_and_status() {
    let bench = Bench::new();
    bench.check("!sh echo hi", &["4> hi\nexit status 0"]).await;
    bench
        .check(
            "!sh echo out; echo err >&2; exit 3",
            &["4> out\nerr\nexit status 3"],
        )
        .await;
    bench.check("!sh true", &["4> exit status 0"]).await;
    bench
        .check("!sh kill -9 $$", &["4> ended by signal 9"])
        .await;
    bench
        .check("!sh printf '\\377'", &["4> \u{fffd}\nexit status 0"])
        .await;
    bench
        .check(
            "!sh echo one > f\n!sh cat f",
            &["4> exit status 0\none\nexit status 0"],
        )
        .await;
    bench.check("!sh cat", &["4> exit status 0"]).await;
    bench
        .check("!sh exec >&- 2>&-; exit 5", &["4> exit status 5"])
        .await;
    bench.check("!sh", &["4> write: !sh CMD"]).await;
    bench
        .check(
            "!sh echo a\0b",
            &["4> error: can't start the shell: nul byte found in provided data"],
        )
        .await;
}

#[tokio::test]
async fn sh_output_is_bounded() {
    let said = Bench::new()
        .say("!sh head -c 100000 /dev/zero | tr '\\0' x")
        .await;
    let kept = "x".repeat(65536);
    assert_eq!(
        said,
        [format!(
            "4> {kept}\n(output cut: 34464 more bytes)\nexit status 0"
        )]
    );
}

#[tokio::test]
async fn sh_is_killed_with_all_it_started_when_its_time_is_up() {
    let bench = Bench::new();
    let said = bench
        .say(r#"!tool bash {"cmd":"sleep 300 & echo $! > pid; yes", "timeout_s":1}"#)
        .await
        .concat();
    assert!(
        said.ends_with("\nstopped after 1 s: its time was up"),
        "{}",
        said.len()
    );
    assert_gone(&bench).await;
    assert_eq!(
        *bench.beats.lock().unwrap(),
        [None, Some(Duration::from_secs(1)), None]
    );
}

#[tokio::test]
async fn sh_does_not_wait_for_what_it_left_behind() {
    let bench = Bench::new();
    bench
        .check(
            "!sh sleep 300 & echo $! > pid; echo ok",
            &["4> ok\nexit status 0"],
        )
        .await;
    assert_gone(&bench).await;
}

/// The process whose id is in the file `pid` ends, or has ended.
async fn assert_gone(bench: &Bench) {
    let pid = std::fs::read_to_string(bench.dir.path().join("pid")).unwrap();
    let stat = format!("/proc/{}/stat", pid.trim());
    let gone = || std::fs::read_to_string(&stat).map_or(true, |stat| stat.contains(") Z "));
    for _ in 0..2000 {
        if gone() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    panic!("process {pid} still runs");
}

#[tokio::test]
async fn tools_by_name() {
    let bench = Bench::new();
    std::fs::write(bench.dir.path().join("a.txt"), "content").unwrap();
    std::fs::create_dir(bench.dir.path().join("sub")).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", bench.dir.path().join("link")).unwrap();
    bench
        .check(
            r#"!tool send_file {"path":"a.txt"}"#,
            &[
                "4> [a.txt content]",
                "4> \"a.txt\" (7 bytes) is sent as message 5",
            ],
        )
        .await;
    bench
        .check(
            r#"!tool send_file {"path":"sub/../a.txt","text":"look","name":"b.md"}"#,
            &[
                "4> look[b.md content]",
                "4> \"b.md\" (7 bytes) is sent as message 5",
            ],
        )
        .await;
    bench
        .check(
            r#"!tool edit_message {"seq":3,"text":"better"}"#,
            &["4> edit 3: better", "4> message 3 is changed"],
        )
        .await;
    bench
        .check(
            r#"!tool add_reaction {"seq":4,"emoji":"👍"}"#,
            &["4> react 4: 👍", "4> message 4 has 👍 on it"],
        )
        .await;
    bench
        .check(r#"!tool bash {"cmd":"echo hi"}"#, &["4> hi\nexit status 0"])
        .await;
    bench
        .check(
            r#"!tool ask_question {"title":"Go?","text":"Now?","options":["yes","no"],"expires_s":60}"#,
            &[
                "4> ask Go?: Now? [\"yes\", \"no\"] Some(60000)",
                "4> the question is asked as message 5",
            ],
        )
        .await;
    bench
        .check(
            r#"!tool ask_question {"title":"Go?","options":["yes","no"]}"#,
            &[
                "4> ask Go?:  [\"yes\", \"no\"] None",
                "4> the question is asked as message 5",
            ],
        )
        .await;
}

#[tokio::test]
async fn tool_errors_are_answers() {
    let bench = Bench::new();
    std::fs::create_dir(bench.dir.path().join("sub")).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", bench.dir.path().join("link")).unwrap();
    let fifo = rustix::fs::CWD;
    rustix::fs::mkfifoat(fifo, bench.dir.path().join("pipe"), rustix::fs::Mode::RWXU).unwrap();
    for (line, expect) in [
        ("!tool", "write: !tool NAME JSON"),
        (
            "!tool nope {}",
            "error: there is no such tool; there are bash, read, write, edit, glob, grep, web_fetch, send_message, send_to_agent, send_file, send_card, edit_message, add_reaction, ask_user_question, ask_question, list_destinations, memory_search, status, schedule_task, list_tasks, update_task, pause_task, resume_task, cancel_task",
        ),
        (
            "!tool bash",
            "error: bad arguments for bash: EOF while parsing a value at line 1 column 0",
        ),
        (
            "!tool bash {\"cmd\":\"true\",\"timeout_s\":0}",
            "error: bad arguments for bash: timeout_s is not from 1 to 3600",
        ),
        (
            "!tool bash {\"cmd\":\"true\",\"timeout_s\":3601}",
            "error: bad arguments for bash: timeout_s is not from 1 to 3600",
        ),
        (
            "!tool send_file {\"path\":\"none\"}",
            "error: can't read \"none\": No such file or directory (os error 2)",
        ),
        (
            "!tool send_file {\"path\":\"/etc/passwd\"}",
            "error: \"/etc/passwd\" is not sent: it is not in the workspace",
        ),
        (
            "!tool send_file {\"path\":\"link\"}",
            "error: \"link\" is not sent: it is not in the workspace",
        ),
        (
            "!tool send_file {\"path\":\"sub\"}",
            "error: \"sub\" is not sent: it is no plain file",
        ),
        (
            "!tool send_file {\"path\":\"pipe\"}",
            "error: \"pipe\" is not sent: it is no plain file",
        ),
        (
            "!tool send_file {\"path\":\"..\"}",
            "error: bad arguments for send_file: the name is no plain file name",
        ),
        (
            "!tool send_file {\"path\":\"a\",\"name\":\"../x\"}",
            "error: bad arguments for send_file: the name is no plain file name",
        ),
        (
            "!tool send_file {\"path\":\"a\",\"name\":\"x/\"}",
            "error: bad arguments for send_file: the name is no plain file name",
        ),
        (
            "!tool edit_message {\"seq\":0,\"text\":\"x\"}",
            "error: bad arguments for edit_message: 0 is no message's number",
        ),
        (
            "!tool edit_message {\"seq\":3,\"text\":\"\"}",
            "error: bad arguments for edit_message: the text is empty",
        ),
        (
            "!tool add_reaction {\"seq\":3,\"emoji\":\"\"}",
            "error: bad arguments for add_reaction: the emoji has 0 bytes, not 1 to 64",
        ),
    ] {
        bench.check(line, &[&format!("4> {expect}")]).await;
    }
}

#[tokio::test]
async fn a_question_that_people_can_not_answer_is_not_asked() {
    let bench = Bench::new();
    for (line, expect) in [
        (
            "!tool ask_question {\"title\":\"Go?\",\"options\":[\"yes\"]}",
            "error: bad arguments for ask_question: too few or too many options",
        ),
        (
            "!tool ask_question {\"title\":\"\",\"options\":[\"a\",\"b\"]}",
            "error: bad arguments for ask_question: the title is empty or too long",
        ),
        (
            "!tool ask_question {\"title\":\"Go?\",\"options\":[\"a\",\"b\"],\"expires_s\":0}",
            "error: bad arguments for ask_question: expires_s is not from 1 to 2592000",
        ),
    ] {
        bench.check(line, &[&format!("4> {expect}")]).await;
    }
}

#[tokio::test]
async fn a_file_above_the_limit_is_not_sent() {
    let bench = Bench::new();
    let file = std::fs::File::create(bench.dir.path().join("big")).unwrap();
    file.set_len(32 * 1024 * 1024 + 1).unwrap();
    bench
        .check(
            r#"!tool send_file {"path":"big"}"#,
            &["4> error: \"big\" is not sent: it has more than 33554432 bytes"],
        )
        .await;
}

#[tokio::test(start_paused = true)]
async fn other_commands() {
    let bench = Bench::new();
    bench
        .check("!say 2 hi there", &["4> hi there", "4> hi there"])
        .await;
    assert_eq!(bench.say("!say 1000 x").await.len(), 1000);
    bench.check("!env", &["4> A=1\nB="]).await;
    bench.check("!big 12", &["4> 012345678901"]).await;
    assert_eq!(
        bench.say("!big 1000000").await.concat().len(),
        1_000_000 + "4> ".len()
    );
    bench
        .check(
            "!sleep 3600\n!sleep 0.25",
            &["4> slept 3600 s\nslept 0.25 s"],
        )
        .await;
    bench
        .check("text\n!big 1\nmore\n!big 2", &["4> 0\n01"])
        .await;
    for (wrong, form) in [
        ("!say 0 x", "!say N TEXT, with N from 1 to 1000"),
        ("!say 1001 x", "!say N TEXT, with N from 1 to 1000"),
        ("!say 3", "!say N TEXT, with N from 1 to 1000"),
        ("!say x y", "!say N TEXT, with N from 1 to 1000"),
        ("!sleep 3601", "!sleep S, with S from 0 to 3600 seconds"),
        ("!sleep -1", "!sleep S, with S from 0 to 3600 seconds"),
        ("!sleep NaN", "!sleep S, with S from 0 to 3600 seconds"),
        ("!sleep", "!sleep S, with S from 0 to 3600 seconds"),
        ("!listen 3601", "!listen S, with S from 0 to 3600 seconds"),
        ("!listen", "!listen S, with S from 0 to 3600 seconds"),
        ("!big 0", "!big N, with N from 1 to 1000000 characters"),
        (
            "!big 1000001",
            "!big N, with N from 1 to 1000000 characters",
        ),
        (
            "!big 99999999999999999999999",
            "!big N, with N from 1 to 1000000 characters",
        ),
        ("!exit", "!exit CODE, with CODE from 0 to 255"),
        ("!exit 256", "!exit CODE, with CODE from 0 to 255"),
        ("!hang on", "!hang"),
        ("!env A", "!env"),
        ("!remember", "!remember TEXT"),
        ("!recall all", "!recall"),
        ("!fail", FAIL_FORM),
        ("!fail slow", FAIL_FORM),
        ("!fail rate", FAIL_FORM),
        ("!fail rate 3601", FAIL_FORM),
        ("!fail transient 0", FAIL_FORM),
        ("!fail full 1001", FAIL_FORM),
    ] {
        bench.check(wrong, &[&format!("4> write: {form}")]).await;
    }
}

const FAIL_FORM: &str = "!fail rate S [N], or !fail CLASS [N], with CLASS one of transient, budget, \
    lost, full, unauthorised, rejected, and N from 1 to 1000 failures";

#[tokio::test]
async fn failures_are_counted_over_the_tries_of_a_turn() {
    let bench = Bench::new();
    for (line, class, after, times) in [
        ("!fail rate 2.5", FailureClass::RateLimited, Some(2_500), 1),
        ("!fail rate 0 3", FailureClass::RateLimited, Some(0), 3),
        ("!fail transient 2", FailureClass::Transient, None, 2),
        ("!fail budget", FailureClass::OutOfBudget, None, 1),
        ("!fail lost", FailureClass::ContinuationLost, None, 1),
        ("!fail full", FailureClass::ContextFull, None, 1),
        ("!fail unauthorised", FailureClass::Unauthorised, None, 1),
        ("!fail rejected", FailureClass::Rejected, None, 1),
    ] {
        for failures in 0..times {
            let error = TurnError::Provider {
                class,
                after: after.map(Duration::from_millis),
                detail: format!("failure {} of {times}", failures + 1),
            };
            let failed = bench.turn_after(failures, vec![row(4, line)]).await;
            assert_eq!(failed, Err(error), "{line}");
        }
        let outcome = bench.turn_after(times, vec![row(4, line)]).await.unwrap();
        let said: Vec<String> = outcome.emit.iter().map(show).collect();
        assert_eq!(said, [format!("4> answered after {times} failures")]);
    }
}

#[tokio::test]
async fn unknown_words_are_answered_with_the_list() {
    let bench = Bench::new();
    let list = "I know:\n!sh CMD\n!tool NAME JSON\n!say N TEXT, with N from 1 to 1000\n\
                !sleep S, with S from 0 to 3600 seconds\n\
                !listen S, with S from 0 to 3600 seconds\n!big N, with N from 1 to 1000000 characters\n\
                !exit CODE, with CODE from 0 to 255\n!hang\n!env\n\
                !fail rate S [N], or !fail CLASS [N], with CLASS one of transient, budget, lost, \
                full, unauthorised, rejected, and N from 1 to 1000 failures\n!remember TEXT\n!recall";
    bench
        .check("!nope x", &[&format!("4> I don't know !nope. {list}")])
        .await;
    bench
        .check("!", &[&format!("4> I don't know !. {list}")])
        .await;
    bench
        .check("!!!", &[&format!("4> I don't know !!!. {list}")])
        .await;
    bench
        .check("! sh", &[&format!("4> I don't know !. {list}")])
        .await;
    let long = "ß".repeat(1000);
    bench
        .check(
            &format!("!{long}"),
            &[&format!("4> I don't know !{}. {list}", "ß".repeat(32))],
        )
        .await;
}

#[tokio::test]
async fn exit_ends_the_turn_without_an_outcome() {
    let bench = Bench::new();
    let ended = bench
        .turn(vec![row(2, "hello"), row(4, "!say 2 x\n!exit 9\n!say 1 y")])
        .await;
    assert_eq!(ended, Err(TurnError::Exit { code: 9 }));
}

#[tokio::test(start_paused = true)]
async fn hang_makes_no_progress() {
    let bench = Bench::new();
    let day = Duration::from_hours(24);
    let ended = tokio::time::timeout(day, bench.turn(vec![row(4, "!hang")])).await;
    assert!(ended.is_err());
    assert_eq!(*bench.beats.lock().unwrap(), [None]);
}

#[tokio::test(start_paused = true)]
async fn a_sleep_is_declared() {
    let bench = Bench::new();
    bench.say("!sleep 90").await;
    assert_eq!(
        *bench.beats.lock().unwrap(),
        [None, Some(Duration::from_secs(90)), None]
    );
}

#[tokio::test]
async fn each_message_has_its_own_answer_and_context_has_none() {
    let bench = Bench::new();
    let mut context = row(4, "!exit 1");
    context.triggers = false;
    let outcome = bench
        .turn(vec![row(2, "!big 1"), context, row(6, "!big 2")])
        .await
        .unwrap();
    assert_eq!(
        outcome.emit.iter().map(show).collect::<Vec<_>>(),
        ["2> 0", "6> 01"]
    );
}

#[tokio::test]
async fn what_was_overheard_before_a_message_is_counted() {
    let bench = Bench::new();
    let aside = |seq| InboundRow {
        triggers: false,
        ..row(seq, "!exit 1")
    };
    let messages = vec![
        aside(2),
        row(4, "a"),
        aside(6),
        aside(8),
        row(10, "b"),
        row(12, "c"),
    ];
    let outcome = bench.turn(messages).await.unwrap();
    let heard = "I am the offline agent: I follow a script and understand nothing. You wrote:";
    assert_eq!(
        outcome.emit.iter().map(show).collect::<Vec<_>>(),
        [
            format!("4> {heard} “a” Before that I overheard one message."),
            format!("10> {heard} “b” Before that I overheard 2 messages."),
            format!("12> {heard} “c”"),
        ]
    );
}

#[tokio::test]
async fn notes_and_answers_are_repeated_and_not_followed() {
    let bench = Bench::new();
    let note = |text: &str| {
        Inbound::Note(Note {
            text: text.to_owned(),
        })
    };
    let answer = Inbound::Answer(Answer {
        question_seq: Seq::new(3).unwrap(),
        title: "Go?".to_owned(),
        option: 0,
        text: "yes".to_owned(),
        channel: "cli".to_owned(),
        sender: "u1".to_owned(),
        sender_name: None,
        answered_at: Timestamp::UNIX_EPOCH,
    });
    let long = "ä".repeat(201);
    for (payload, expect) in [
        (
            note("!exit 1"),
            "4> note from the host: “!exit 1”".to_owned(),
        ),
        (
            note(&long),
            format!("4> note from the host: “{}…”", "ä".repeat(200)),
        ),
        (answer, "4> answer to question #3: yes".to_owned()),
    ] {
        let told = InboundRow {
            payload,
            ..row(4, "")
        };
        let outcome = bench.turn(vec![told]).await.unwrap();
        assert_eq!(outcome.emit.iter().map(show).collect::<Vec<_>>(), [expect]);
    }
}

#[tokio::test]
async fn there_is_nothing_to_compact() {
    let bench = Bench::new();
    let state = std::collections::BTreeMap::new();
    let outcome = Offline.compact(state, bench.io()).await.unwrap();
    assert_eq!(
        outcome.emit.iter().map(show).collect::<Vec<_>>(),
        ["0> I keep nothing between turns, so there is nothing to compact."]
    );
}

#[tokio::test(start_paused = true)]
async fn listen_answers_each_follow_up_where_it_came_from() {
    let bench = Bench::new();
    let follow_ups = Arc::new(FollowUps::default());
    let turn = Turn {
        agent_name: "Ada".to_owned(),
        messages: vec![row(4, "!listen 60\n!big 1")],
        state: std::collections::BTreeMap::new(),
        failures: 0,
    };
    let io = bench.io().with_follow_ups(Arc::clone(&follow_ups));
    let serve = async {
        follow_ups.asked().await;
        let aside = InboundRow {
            triggers: false,
            ..row(6, "aside")
        };
        follow_ups.looked(vec![aside, row(8, "!exit 1"), row(10, "more")]);
    };
    let (outcome, ()) = tokio::join!(Offline.run_turn(turn, io), serve);
    assert_eq!(
        outcome.unwrap().emit.iter().map(show).collect::<Vec<_>>(),
        [
            "8> follow-up: “!exit 1”",
            "10> follow-up: “more”",
            "4> follow-ups taken: 2\n0"
        ]
    );
    assert_eq!(
        *bench.beats.lock().unwrap(),
        [None, Some(Duration::from_mins(1)), None]
    );
}

#[tokio::test]
async fn without_follow_ups_listen_does_not_wait() {
    let bench = Bench::new();
    bench
        .check("!listen 3600", &["4> follow-ups taken: 0"])
        .await;
}

#[tokio::test]
async fn a_command_ends_with_the_turn_that_is_dropped() {
    let bench = Bench::new();
    let messages = vec![row(
        4,
        "!sh sleep 300 & echo $! > pid; mv pid up; sleep 300",
    )];
    let up = bench.dir.path().join("up");
    let begun = async {
        while !up.exists() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::select! {
        ended = bench.turn(messages) => panic!("{ended:?}"),
        () = begun => {}
    }
    std::fs::rename(up, bench.dir.path().join("pid")).unwrap();
    assert_gone(&bench).await;
}

#[tokio::test]
async fn what_a_turn_says_is_bounded() {
    let bench = Bench::new();
    let said = bench.say(&"!big 1000000\n".repeat(101)).await;
    let expect_note = "4> a turn can't say that much: the rest is left out";
    assert_eq!(said.last().map(String::as_str), Some(expect_note));
    assert!(said.iter().map(String::len).sum::<usize>() < 65 * 1024 * 1024);
    let said = bench.say(&"!big 1\n".repeat(101)).await;
    let answers = "0\n".repeat(100);
    assert_eq!(
        said,
        [format!(
            "4> {answers}only the first 100 command lines were followed"
        )]
    );
    let said = bench.say(&"!say 1000 x\n".repeat(100)).await;
    assert_eq!(said.len(), 20_001);
}
