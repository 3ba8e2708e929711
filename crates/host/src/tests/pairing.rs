//! The first owner: a code that the operator has printed, sent in a direct chat.

use anchorhold_admin::request::Reply;
use anchorhold_core::{access::Role, entity::EngageMode, inbound::ChatKind};

use super::*;
use crate::{
    pairing::{CODE_DIGITS, Code},
    tests::people::{UNHEARD, asked, direct, dm, heard, saying},
};

/// One channel, and nobody who could answer.
const BARE: &str = "[channels.one]\ntype = \"cli\"\nunknown_senders = \"strict\"\n";

const WRONG: &str = "host: That is not the code.";
const LAST: &str = "host: That is not the code, and it can't be tried again. Ask for a new one.";

fn welcome(agent: &str) -> String {
    format!(
        "host: You are the owner now. {agent} hears you here: write to it. /help lists what else \
         you can do."
    )
}

impl Host {
    /// A fresh code, as the operator sees it.
    async fn code(&self) -> String {
        let reply = self.admin("pair", "", &[("channel", "one")]).await;
        let Reply::One(fields) = &reply else {
            panic!("no code: {reply:?}");
        };
        let code = fields["code"].as_str().unwrap().to_owned();
        assert!(!format!("{reply:?}").contains(&code));
        assert_eq!(code.len(), CODE_DIGITS);
        code
    }

    async fn owns(&self, who: &str) -> bool {
        let user = self.user(who).await;
        self.store().standing(user).await.unwrap().owns()
    }
}

/// A code that is not `code`, another one for each number.
fn wrong(code: &str, number: u32) -> String {
    let right: u32 = code.parse().unwrap();
    format!("{:08}", (right + 1 + number) % 100_000_000)
}

#[tokio::test]
async fn whoever_sends_the_code_owns_the_installation_and_is_heard() {
    let mut host = Host::new(BARE).await;
    let code = host.code().await;
    let said = host
        .tell(saying(&format!(" {code}\n"), direct("olga", "m1")))
        .await;
    assert_eq!(said, welcome("Helper"));
    assert!(host.owns("olga").await);
    let olga = host.user("olga").await;
    let known = host.store().direct_chat(olga).await.unwrap().unwrap();
    assert_eq!(
        (known.chat, known.kind),
        (chat("dm-olga"), ChatKind::Direct)
    );
    let wirings = host.store().wirings_for(&one(), &chat("dm-olga")).await;
    let wirings = wirings.unwrap();
    assert_eq!(wirings.len(), 1);
    assert_eq!(wirings[0].agent_group, host.agent("helper").await.id);
    assert_eq!(wirings[0].engage, EngageMode::Pattern);
    // The code itself is no message for the agent.
    assert_eq!(host.sessions().await, []);
    host.heard(direct("olga", "m2")).await;
    assert_eq!(host.enter().await.texts(), ["text of m2"]);

    // It is used up, and whoever has seen it is a stranger, about whom the owner is asked there.
    host.declined(saying(&code, direct("eve", "m3")), "awaits_wiring")
        .await;
    host.card("olga").await;
    assert!(!host.owns("eve").await);
    assert_eq!(host.platform().opened(), Vec::<Handle>::new());
}

#[tokio::test]
async fn an_agent_that_is_there_is_taken_and_one_that_hears_already_is_left_alone() {
    // (configuration, how many wirings there are then)
    for (config, wirings) in [(UNHEARD.to_owned(), 1), (heard("strict", ""), 1)] {
        let host = Host::new(&config).await;
        let code = host.code().await;
        let said = host.tell(saying(&code, direct("olga", "m1"))).await;
        assert_eq!(said, welcome("helper"), "{config}");
        assert_eq!(host.store().groups().await.unwrap().len(), 1, "{config}");
        assert_eq!(
            host.count("SELECT count(*) FROM wirings"),
            wirings,
            "{config}"
        );
        host.heard(direct("olga", "m2")).await;
    }
}

#[tokio::test]
async fn five_wrong_codes_end_it() {
    let host = Host::new(UNHEARD).await;
    let code = host.code().await;
    for number in 0..4 {
        // Whoever tries: they are counted together.
        let who = ["eve", "bob"][usize::from(number % 2 == 0)];
        let event = direct(who, &format!("m{number}"));
        let said = host.tell(saying(&wrong(&code, number), event)).await;
        assert_eq!(said, WRONG, "{number}");
    }
    let said = host
        .tell(saying(&wrong(&code, 4), direct("eve", "m4")))
        .await;
    assert_eq!(said, LAST);
    host.declined(saying(&code, direct("olga", "m5")), "awaits_wiring")
        .await;
    assert!(!host.owns("olga").await);

    let code = host.code().await;
    let said = host.tell(saying(&code, direct("olga", "m6"))).await;
    assert_eq!(said, welcome("helper"));
}

#[tokio::test]
async fn wrong_codes_that_come_at_once_are_counted_each() {
    let host = Host::new(UNHEARD).await;
    let code = host.code().await;
    let tries = |number: u32| saying(&wrong(&code, number), direct("eve", &format!("m{number}")));
    for number in 0..3 {
        host.tell(tries(number)).await;
    }
    let (fourth, fifth) = tokio::join!(host.hand_over(tries(3)), host.hand_over(tries(4)));
    for taken in [fourth, fifth] {
        assert_eq!(taken.unwrap(), Accepted::Stored);
    }
    assert!(host.store().pairing(&one()).await.unwrap().is_none());
    let mut seen = host.until_seen(&dm("eve"), 5).await;
    seen.sort();
    assert_eq!(seen, [LAST, WRONG, WRONG, WRONG, WRONG]);
}

#[tokio::test]
async fn a_code_is_good_for_ten_minutes() {
    for (seconds, good) in [(10 * 60 - 1, true), (10 * 60, false)] {
        let host = Host::new(UNHEARD).await;
        let code = host.code().await;
        host.advance(Duration::from_secs(seconds));
        drop(
            host.hand_over(saying(&code, direct("olga", "m1")))
                .await
                .unwrap(),
        );
        assert_eq!(host.owns("olga").await, good, "{seconds}");
    }
}

#[tokio::test]
async fn only_the_digits_alone_in_a_direct_chat_are_a_try() {
    let host = Host::new(&heard("public", "")).await;
    let code = host.code().await;
    let tries = async || {
        let open = host.store().pairing(&one()).await.unwrap();
        open.map(|open| open.tries_left)
    };
    let full = tries().await;
    for (id, event) in [
        ("g1", asked("olga", "g1")),
        ("g2", asked("olga", "g2")),
        ("d1", direct("olga", "d1")),
        ("d2", direct("olga", "d2")),
        ("d3", direct("olga", "d3")),
    ] {
        let text = match id {
            "g1" => code.clone(),
            "g2" => wrong(&code, 0),
            "d1" => format!("my code is {code}"),
            "d2" => code.chars().skip(1).collect(),
            _ => format!("{code}0"),
        };
        // It is text for the agent like any other.
        host.heard(saying(&text, event)).await;
    }
    assert_eq!(host.count("SELECT count(*) FROM messages"), 5);
    assert_eq!(tries().await, full);
    assert!(!host.owns("olga").await);
    let said = host.tell(saying(&code, direct("olga", "m1"))).await;
    assert_eq!(said, welcome("helper"));
    assert_eq!(tries().await, None);
}

#[tokio::test]
async fn a_new_code_takes_the_place_of_the_one_before() {
    let host = Host::new(UNHEARD).await;
    let (before, code) = (host.code().await, host.code().await);
    assert_ne!(before, code);
    let said = host.tell(saying(&before, direct("olga", "m1"))).await;
    assert_eq!(said, WRONG);
    let said = host.tell(saying(&code, direct("olga", "m2"))).await;
    assert_eq!(said, welcome("helper"));
    // Sent again by the platform, it is neither a try nor used twice.
    let again = host.hand_over(saying(&code, direct("olga", "m2"))).await;
    assert_eq!(again.unwrap(), Accepted::Duplicate);
}

#[tokio::test]
async fn the_code_is_stored_nowhere_and_shown_to_nobody() {
    let host = Host::new(UNHEARD).await;
    let digits = host.code().await;
    let data = host.graph.base.dirs.database();
    for file in [data.clone(), Utf8PathBuf::from(format!("{data}-wal"))] {
        let bytes = fs::read(&file).unwrap();
        let found = bytes
            .windows(digits.len())
            .any(|window| window == digits.as_bytes());
        assert!(!found, "{file}");
    }
    let expires_at = host.graph.base.now();
    let shown = format!(
        "{:?}",
        Code {
            digits: digits.clone(),
            expires_at
        }
    );
    assert!(!shown.contains(&digits), "{shown}");
}

#[tokio::test]
async fn a_second_owner_is_made_in_the_same_way() {
    let host = Host::new(UNHEARD).await;
    host.grant("olga", Role::Owner).await;
    let code = host.code().await;
    host.tell(saying(&code, direct("otto", "m1"))).await;
    assert!(host.owns("otto").await && host.owns("olga").await);
    let holders = host.store().role_holders().await.unwrap();
    assert_eq!(holders.len(), 2);
}
