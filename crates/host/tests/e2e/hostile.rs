//! An agent that attacks its host through the one folder that it can write.
//!
//! Each attack has a conversation of its own. Its command plants something, kills its own runner,
//! and does neither the second time: so the host meets what was planted, and the message ends well.

use std::{fs, time::Duration};

use anchorhold_channel_cli::wire::WireFile;
use camino::Utf8PathBuf;
use tokio::time::timeout;

use crate::e2e::{
    forge::Forged,
    harness::{Place, until},
    person::{Person, agent_quotes},
    wall::Wall,
};

/// What no attack may bring out.
const SECRET: &str = "a secret of the host";
/// How long others may wait for an answer while an attack goes on.
const PROMPT: Duration = Duration::from_secs(20);
const OVER: &str = "agent: over\nexit status 0";
const REFUSED: &str = "host: Something the agent wanted to send could not be taken: one of its \
                       files is not a plain file of acceptable size";

/// An installation with a secret beside it, and a neighbour who talks during all attacks.
struct Battle {
    place: Place,
    neighbour: Person,
    pid: u32,
    attacks: u32,
}

/// One attack that is about to happen.
struct Attack {
    number: u32,
    person: Person,
    session: String,
}

impl Battle {
    async fn begin(wall: Wall) -> Self {
        let place = Place::new(wall, "tries = 3\nfile_size = \"20GiB\"");
        fs::write(place.path("secret"), SECRET).unwrap();
        let mut place = place;
        place.start().await;
        let mut neighbour = place.person("neighbour").await;
        assert_eq!(neighbour.ask("hello").await, agent_quotes("hello"));
        let pid = place.pid();
        Self {
            place,
            neighbour,
            pid,
            attacks: 0,
        }
    }

    /// A fresh conversation, which has had one answer.
    async fn prepare(&mut self) -> Attack {
        self.attacks += 1;
        let known = self.place.session_ids();
        let name = format!("hostile-{}", self.attacks);
        let mut person = self.place.person(&name).await;
        assert_eq!(person.ask("hello").await, agent_quotes("hello"));
        let mut fresh = self.place.session_ids();
        fresh.retain(|id| !known.contains(id));
        assert_eq!(fresh.len(), 1, "{fresh:?}");
        Attack {
            number: self.attacks,
            person,
            session: fresh.remove(0),
        }
    }

    fn out_of(&self, attack: &Attack) -> Utf8PathBuf {
        self.place
            .data()
            .join("sessions")
            .join(&attack.session)
            .join("out")
    }

    /// Lets the agent run `plant` in its `out/` and die; meanwhile and afterwards all is answered.
    /// `told` is what the person hears of it besides.
    async fn strike(
        &mut self,
        mut attack: Attack,
        plant: &str,
        file: Option<Vec<u8>>,
        told: &[&str],
    ) {
        let mark = format!("/workspace/struck-{}", attack.number);
        let script = format!(
            "!sh cd /anchorhold/out; [ -e {mark} ] || {{ touch {mark}; {plant}; \
             kill -9 $PPID; }}; echo over"
        );
        let file = file.map(|data| WireFile {
            name: "evil".to_owned(),
            data,
        });
        let said = attack
            .person
            .say_with(&script, file.into_iter().collect())
            .await;
        let mark = self.place.workspace(&format!("struck-{}", attack.number));
        until("the attack is under way", async || {
            mark.exists().then_some(())
        })
        .await;
        let answer = timeout(PROMPT, self.neighbour.ask("meanwhile")).await;
        assert_eq!(answer, Ok(agent_quotes("meanwhile")), "while: {plant}");
        attack.person.answer_to(&said).await;
        attack.person.ask("afterwards").await;
        let mut expected = vec![agent_quotes("hello")];
        expected.extend(told.iter().map(|line| (*line).to_owned()));
        expected.extend([OVER.to_owned(), agent_quotes("afterwards")]);
        let mut lines = attack.person.lines();
        // What the agent was told of what it could not send, it says again, at its own time.
        lines.retain(|line| !line.starts_with("agent: note from the host: "));
        assert_eq!(lines, expected, "after: {plant}");
        let files = attack.person.heard.iter().flat_map(|heard| &heard.files);
        assert_eq!(files.count(), 0, "after: {plant}");
        assert_eq!(self.place.status().await["pid"], self.pid);
    }

    /// The same in a conversation of its own, without a file.
    async fn strikes(&mut self, plants: &[&str]) {
        for plant in plants {
            let attack = self.prepare().await;
            self.strike(attack, plant, None, &[]).await;
        }
    }

    async fn end(mut self) {
        assert_eq!(self.neighbour.ask("at last").await, agent_quotes("at last"));
        self.place.stop().await;
        let log = self.place.log();
        assert!(!log.contains(SECRET), "{log}");
        assert!(!log.contains("panicked"), "{log}");
    }
}

pub(crate) async fn defect_01_a_link_in_the_outbox_is_not_followed(wall: Wall) {
    let mut battle = Battle::begin(wall).await;
    let secret = battle.place.path("secret");
    let plants = [
        format!("ln -s {secret} $d/f"),
        "ln -s /etc/passwd $d/f".to_owned(),
        "mkfifo $d/f".to_owned(),
        "mkdir $d/f".to_owned(),
        "truncate -s 10G $d/f".to_owned(),
        "true".to_owned(),
    ];
    for plant in plants {
        let attack = battle.prepare().await;
        let forged = Forged::from(&battle.out_of(&attack));
        let seq = forged.post("take this", &["f"]);
        let plant =
            format!("d=outbox/{seq}; mkdir -p $d; {plant}; cat ../in/inbox/*/* > outbound.db");
        battle
            .strike(attack, &plant, Some(forged.bytes()), &[REFUSED])
            .await;
    }
    battle.end().await;
}

pub(crate) async fn defect_02_an_outbox_that_is_a_link_is_not_followed(wall: Wall) {
    let mut battle = Battle::begin(wall).await;
    let bait = battle.place.path("bait");
    for way in [
        "rm -r outbox; ln -s $bait outbox",
        "rm -rf $d; ln -s $bait/$seq $d",
    ] {
        let attack = battle.prepare().await;
        let forged = Forged::from(&battle.out_of(&attack));
        let seq = forged.post("take this", &["f"]);
        fs::create_dir_all(bait.join(seq.to_string())).unwrap();
        let file = bait.join(seq.to_string()).join("f");
        fs::write(&file, SECRET).unwrap();
        let plant = format!(
            "bait={bait}; seq={seq}; d=outbox/$seq; {way}; cat ../in/inbox/*/* > outbound.db"
        );
        battle
            .strike(attack, &plant, Some(forged.bytes()), &[REFUSED])
            .await;
        assert_eq!(fs::read_to_string(&file).unwrap(), SECRET);
    }
    let attack = battle.prepare().await;
    let forged = Forged::from(&battle.out_of(&attack));
    forged.post("take this", &["../../../../../secret"]);
    let plant = "cat ../in/inbox/*/* > outbound.db";
    let told = [REFUSED];
    battle
        .strike(attack, plant, Some(forged.bytes()), &told)
        .await;
    battle.end().await;
}

pub(crate) async fn defect_03_a_database_that_is_a_link_is_not_opened(wall: Wall) {
    let mut battle = Battle::begin(wall).await;
    // One that would be taken for the agent's own, was it not for the link.
    let attack = battle.prepare().await;
    let forged = Forged::from(&battle.out_of(&attack));
    forged.post(SECRET, &[]);
    let victim = battle.place.path("victim.db");
    fs::write(&victim, forged.bytes()).unwrap();
    let link = |to: &str, at: &str| format!("rm -f {at}; ln -s {to} {at}");
    battle
        .strike(attack, &link(victim.as_str(), "outbound.db"), None, &[])
        .await;
    let central = battle.place.data().join("anchorhold.db");
    battle
        .strikes(&[
            &link("/etc/passwd", "outbound.db"),
            &link(central.as_str(), "outbound.db"),
            &link(victim.as_str(), "outbound.db-journal"),
        ])
        .await;
    assert_eq!(fs::read(&victim).unwrap(), forged.bytes());
    battle.end().await;
}

pub(crate) async fn defect_55_one_bad_session_stops_nobody_else(wall: Wall) {
    let mut battle = Battle::begin(wall).await;
    let attack = battle.prepare().await;
    let forged = Forged::from(&battle.out_of(&attack));
    forged.run("DROP TABLE messages");
    let plant = "cat ../in/inbox/*/* > outbound.db";
    battle
        .strike(attack, plant, Some(forged.bytes()), &[])
        .await;
    battle
        .strikes(&[
            "rm outbound.db; mkfifo outbound.db",
            "rm outbound.db; mkdir -p outbound.db/x",
            "rm -rf outbound.db outbox",
            "rm -f outbound.db-journal; mkfifo outbound.db-journal",
        ])
        .await;
    battle.end().await;
}

pub(crate) async fn a_file_that_is_no_database_is_put_aside(wall: Wall) {
    let mut battle = Battle::begin(wall).await;
    let plants = [
        "head -c 100000 /dev/urandom > outbound.db",
        "truncate -s 10G outbound.db",
        "truncate -s 3000 outbound.db",
    ];
    for plant in plants {
        let attack = battle.prepare().await;
        let out = battle.out_of(&attack);
        battle.strike(attack, plant, None, &[]).await;
        let aside = fs::read_dir(&out).unwrap().flatten().filter(|entry| {
            let name = entry.file_name().into_string().unwrap();
            name.starts_with("aside-") && name.ends_with("-outbound.db")
        });
        assert_eq!(aside.count(), 1, "after: {plant}");
    }
    battle.end().await;
}

pub(crate) async fn a_locked_database_holds_up_nobody_else(wall: Wall) {
    let mut battle = Battle::begin(wall).await;
    let mut attack = battle.prepare().await;
    let mark = battle.place.workspace("locked");
    // The lock of a writer that is about to commit, on the bytes that SQLite locks.
    let script = "!sh setsid perl -e 'use Fcntl; open(F, \"+<\", \"/anchorhold/out/outbound.db\"); \
                  my $l = pack(\"ssx4qqix4\", F_WRLCK(), 0, 0x40000000, 512, 0); \
                  fcntl(F, F_SETLKW(), $l) or die; open(M, \">\", \"/workspace/locked\"); close(M); \
                  select(undef, undef, undef, 4); unlink(\"/workspace/locked\")' \
                  >/dev/null 2>&1 & until [ -e /workspace/locked ]; do sleep 0.05; done";
    let said = attack.person.say(script).await;
    until("the file is locked", async || mark.exists().then_some(())).await;
    for _ in 0..3 {
        let answer = timeout(PROMPT, battle.neighbour.ask("meanwhile")).await;
        assert_eq!(answer, Ok(agent_quotes("meanwhile")));
    }
    assert!(mark.exists(), "the neighbour was answered during the lock");
    attack.person.answer_to(&said).await;
    attack.person.ask("afterwards").await;
    let expected = [
        agent_quotes("hello"),
        "agent: exit status 0".to_owned(),
        agent_quotes("afterwards"),
    ];
    assert_eq!(attack.person.lines(), expected);
    battle.end().await;
}

/// Lets an agent put a changed copy of its database in place, and die.
async fn forge(battle: &mut Battle, changes: &str) {
    let attack = battle.prepare().await;
    let forged = Forged::from(&battle.out_of(&attack));
    forged.run(changes);
    let plant = "cat ../in/inbox/*/* > outbound.db";
    battle
        .strike(attack, plant, Some(forged.bytes()), &[])
        .await;
}

pub(crate) async fn forged_rows_are_refused(wall: Wall) {
    let mut battle = Battle::begin(wall).await;
    let forgeries = [
        // A number below zero, one of the host's, and one that was there before.
        "INSERT INTO messages SELECT -5, in_reply_to, kind, version, payload, 1 FROM messages;
         INSERT INTO messages SELECT 8, in_reply_to, kind, version, payload, 1 FROM messages
          WHERE seq = 3;
         UPDATE messages SET payload = '{\"text\":\"said twice\"}' WHERE seq = 3",
        // Answers to nobody, kinds that nobody knows, payloads that are none.
        "INSERT INTO messages VALUES (5, 4000, 'post', 1, '{\"text\":\"x\"}', 1);
         INSERT INTO messages VALUES (7, NULL, 'post', 1, '{\"text\":\"x\"}', 1);
         INSERT INTO messages VALUES (9, -2, 'post', 1, '{\"text\":\"x\"}', 1);
         INSERT INTO messages VALUES (11, 2, 'launch', 1, '{}', 1);
         INSERT INTO messages VALUES (13, 2, 'post', 99, '{\"text\":\"x\"}', 1);
         INSERT INTO messages VALUES (15, 2, 'post', 1, '{\"text\":', 1)",
        // Ends of messages that never were.
        "INSERT INTO handled (seq, generation, state, detail, number, at) VALUES (4000, 1, 'done', NULL, 70, 1);
         INSERT INTO handled (seq, generation, state, detail, number, at) VALUES (-4, 1, 'done', NULL, 71, 1);
         INSERT INTO handled (seq, generation, state, detail, number, at) VALUES (4002, 1, 'claimed', NULL, NULL, 1)",
    ];
    for forgery in forgeries {
        forge(&mut battle, forgery).await;
    }
    battle.end().await;
}

pub(crate) async fn a_row_numbered_beyond_all_silences_nobody(wall: Wall) {
    let mut battle = Battle::begin(wall).await;
    let row = "INSERT INTO messages VALUES (9223372036854775807, 2, 'post', 1, '{}', 1)";
    forge(&mut battle, row).await;
    battle.end().await;
}

pub(crate) async fn a_row_with_the_last_number_silences_nobody(wall: Wall) {
    let mut battle = Battle::begin(wall).await;
    let row = "INSERT INTO messages VALUES (9007199254740991, 2, 'launch', 1, '{}', 1)";
    forge(&mut battle, row).await;
    battle.end().await;
}

pub(crate) async fn an_end_numbered_beyond_all_silences_nobody(wall: Wall) {
    let mut battle = Battle::begin(wall).await;
    let row = "INSERT INTO handled (seq, generation, state, detail, number, at)
               VALUES (4000, 1, 'done', NULL, 9223372036854775807, 1)";
    forge(&mut battle, row).await;
    battle.end().await;
}

pub(crate) async fn a_lost_database_and_a_death_come_to_an_end(wall: Wall) {
    let mut battle = Battle::begin(wall).await;
    let mut attack = battle.prepare().await;
    let script = "!sh rm -f /anchorhold/out/outbound.db; kill -9 $PPID";
    let said = attack.person.say(script).await;
    attack.person.answer_to(&said).await;
    attack.person.ask("afterwards").await;
    let told = "host: Your message could not be answered: the agent's files were damaged. \
                It was tried 3 times and is now given up.";
    let expected = [
        agent_quotes("hello"),
        told.to_owned(),
        agent_quotes("afterwards"),
    ];
    assert_eq!(attack.person.lines(), expected);
    battle.end().await;
}

pub(crate) async fn a_closed_folder_is_told_and_holds_up_nobody_else(wall: Wall) {
    let mut battle = Battle::begin(wall).await;
    let mut attack = battle.prepare().await;
    let script = "!sh chmod 0 /anchorhold/out; kill -9 $PPID";
    attack.person.say(script).await;
    let told = "host: The agent can't be started at the moment. Your message is kept, and its \
                operator is told what to mend.";
    let expected = [agent_quotes("hello"), told.to_owned()];
    assert_eq!(attack.person.hears(2).await, expected);
    assert_eq!(battle.place.status().await["work"]["messages_pending"], 1);
    battle.end().await;
}
