//! From a database to a file, and back without a change.

use std::fmt::Write;

use anchorhold_store::{Store, reconcile::Reconciled};
use camino::Utf8PathBuf;
use jiff::Timestamp;
use rusqlite::{Connection, types::Value};
use tempfile::TempDir;

use super::*;
use crate::{config::problem::Problem, settings::desired};

const CURRENT: &str = r#"
# A comment that is not kept.
[host]
max_sandboxes = 7
[channels.one]
type = "cli"
unknown_senders = "request_approval"
api_token = "env:TOKEN"
[channels.two]
type = "cli"
[agents.filed]
name = "File's \"own\" é"
provider = "offline"
assistant_name = "Hal"
admin_scope = "disabled"
[agents.filed.limits]
cpus = 0.29
[[wirings]]
channel = "one"
chat = "C:1 \"x\""
agent = "filed"
engage = { pattern = "^\"é\\\\" }
priority = 3
[[wirings]]
channel = "two"
chat = "*"
agent = "filed"
[[conversations]]
channel = "one"
chat = "C:1 \"x\""
kind = "group"
name = "The\n\"team\" \u0000 é"
unknown_senders = "public"
[[conversations]]
channel = "two"
chat = "off"
kind = "direct"
declined = true
[[people]]
channel = "one"
handle = "a:b:\"c' é"
name = "Ann\r\nB"
roles = ["owner", "admin:filed"]
member_of = ["filed"]
[[destinations]]
agent = "filed"
name = "other"
channel = "two"
chat = "off"
[[destinations]]
agent = "filed"
name = "me"
to_agent = "filed"
"#;

/// What people and agents made while the host ran.
const RUNTIME: &str = r#"
INSERT INTO agent_groups SELECT 'ID1', 'Made "at"' || char(10) || 'run time', 'made', provider,
    'large', 'sandbox', memory_bytes + 1, 333, pids, file_bytes, 1001, turn_ms, idle_ms,
    prompt_messages, tries, 'runtime', NULL, 5 FROM agent_groups;
INSERT INTO agent_groups SELECT 'ID2', 'gone', 'gone', provider, NULL, 'auto', memory_bytes,
    cpu_millis, pids, file_bytes, progress_ms, turn_ms, idle_ms, prompt_messages, tries, 'runtime',
    9, 5 FROM agent_groups WHERE folder = 'filed';
INSERT INTO group_config (agent_group_id, admin_scope, effort, updated_at)
    VALUES ('ID1', 'global', 'high', 5), ('ID2', 'group', NULL, 5);
INSERT INTO conversations VALUES ('ID3', 'one', 'C2', 'group', 'Über "us"', 'strict', 'runtime',
    NULL, 5), ('ID4', 'one', 'seen', 'direct', NULL, 'request_approval', 'file', NULL, 5),
    ('ID5', 'two', 'wired', 'group', NULL, 'public', 'file', NULL, 5),
    ('ID6', 'lost', 'c', 'group', 'lost', 'public', 'runtime', NULL, 5);
INSERT INTO wirings VALUES ('ID7', 'one', 'C2', 'ID1', 'mention-sticky', NULL, 'known',
    'accumulate', 'agent-shared', -2, 'runtime', 5),
    ('ID8', 'two', 'wired', 'ID1', 'mention', 'unused', 'all', 'drop', 'shared', 0, 'runtime', 5),
    ('ID9', 'lost', NULL, 'ID1', 'mention', NULL, 'all', 'drop', 'shared', 0, 'runtime', 5),
    ('IDA', 'one', 'gone', 'ID2', 'mention', NULL, 'all', 'drop', 'shared', 0, 'runtime', 5);
INSERT INTO users VALUES ('IDB', 'one', 'bob''s "1:2"', NULL, 5), ('IDC', 'lost', 'eve', 'E', 5),
    ('IDD', 'two', 'nobody', 'N', 5);
INSERT INTO roles SELECT 'IDB', 'admin', 'ID1', id, 5, 'runtime' FROM users WHERE handle LIKE 'a:%';
INSERT INTO roles SELECT id, 'admin', 'ID1', NULL, 5, 'runtime' FROM users WHERE handle LIKE 'a:%';
INSERT INTO roles VALUES ('IDB', 'admin', NULL, NULL, 5, 'runtime'),
    ('IDB', 'admin', 'ID2', NULL, 5, 'runtime'), ('IDC', 'owner', NULL, NULL, 5, 'runtime');
INSERT INTO members SELECT 'IDB', id, NULL, 5, 'runtime' FROM agent_groups;
INSERT INTO destinations VALUES
    ('ID1', 'uber-us', 'channel', 'ID3', NULL, 5, 'runtime', NULL),
    ('ID1', 'renamed', 'channel', 'ID5', NULL, 5, 'runtime', 'ID8'),
    ('ID1', 'Not a slug', 'agent', NULL, 'ID1', 5, 'runtime', NULL),
    ('ID1', 'lost', 'channel', 'ID6', NULL, 5, 'runtime', NULL),
    ('ID1', 'retired', 'agent', NULL, 'ID2', 5, 'runtime', NULL);
INSERT INTO destinations SELECT id, 'seen', 'channel', 'ID4', NULL, 5, 'runtime', NULL
    FROM agent_groups WHERE folder = 'filed';
"#;

/// The tables that the file is about.
const TABLES: &[&str] = &[
    "agent_groups",
    "group_config",
    "conversations",
    "wirings",
    "users",
    "roles",
    "members",
    "destinations",
];

struct Place {
    _dir: TempDir,
    path: Utf8PathBuf,
    store: Store,
}

impl Place {
    async fn new() -> Self {
        let dir = TempDir::new().unwrap();
        let path = Utf8PathBuf::from_path_buf(dir.path().join("central.db")).unwrap();
        let store = Store::open(path.as_std_path()).await.unwrap();
        Self {
            _dir: dir,
            path,
            store,
        }
    }

    /// Takes a file over, `ms` after the epoch.
    async fn import(&self, text: &str, ms: i64) -> Reconciled {
        let now = Timestamp::from_millisecond(ms).unwrap();
        let mut count = 0_u8;
        let file = desired(&current(text), || {
            count += 1;
            (now, [count; 10])
        });
        self.store.reconcile_file(&file, now).await.unwrap()
    }

    /// Runs statements as somebody else would, with ids for the words `ID0` to `IDF`.
    fn sql(&self, sql: &str) {
        let words = (0..16).fold(sql.to_owned(), |sql, n| {
            let id = format!("'0190163d-8694-739b-aea5-966c26f8ad9{n:x}'");
            sql.replace(&format!("'ID{n:X}'"), &id)
        });
        let db = open(&self.path);
        db.execute_batch(&words).unwrap();
    }

    async fn export(&self, config: &str) -> Result<Exported, ExportError> {
        let config = current(config);
        let held = self.store.entities(&policies(&config)).await.unwrap();
        export(&config, held)
    }

    /// Every row of every table that the file is about.
    fn dump(&self) -> String {
        let db = open(&self.path);
        let mut dump = String::new();
        for table in TABLES {
            let mut rows = db
                .prepare(&format!("SELECT rowid, * FROM {table} ORDER BY rowid"))
                .unwrap();
            let columns = rows.column_count();
            let mut rows = rows.query([]).unwrap();
            while let Some(row) = rows.next().unwrap() {
                write!(dump, "{table}").unwrap();
                for column in 0..columns {
                    let value: Value = row.get(column).unwrap();
                    write!(dump, " {value:?}").unwrap();
                }
                dump.push('\n');
            }
        }
        dump
    }
}

/// Anything may be in the rows that are exported, more than the store itself would write.
#[expect(clippy::disallowed_methods, reason = "it is no session file")]
fn open(path: &Utf8Path) -> Connection {
    Connection::open(path).unwrap()
}

fn current(text: &str) -> Config {
    load(text, Utf8Path::new("c.toml")).unwrap()
}

#[tokio::test]
async fn an_exported_file_changes_nothing_where_it_comes_from() {
    let place = Place::new().await;
    place.import(CURRENT, 1).await;
    place.sql(RUNTIME);
    let before = place.dump();
    for managed_by in ["Text(\"file\")", "Text(\"runtime\")"] {
        let rows = before.lines().filter(|line| line.contains(managed_by));
        let tables: BTreeSet<_> = rows.filter_map(|row| row.split(' ').next()).collect();
        assert_eq!(tables.len(), 6, "{tables:?}");
    }
    let exported = place.export(CURRENT).await.unwrap();
    assert_eq!(
        place.import(&exported.text, 2).await,
        Reconciled {
            // The name that no file may have, and the pattern that a mention never uses.
            overruled: 2,
            ..Reconciled::default()
        }
    );
    assert_eq!(place.dump(), before);
    // The exported file is as good a start as the present one.
    let again = place.export(&exported.text).await.unwrap();
    assert_eq!(again, exported);
    assert_eq!(
        exported.left_out,
        [
            "left out: conversations on channel lost, which the file lacks (1)",
            "left out: destinations on channel lost, which the file lacks (1)",
            "left out: destinations whose name a file may not have (1)",
            "left out: parts of agents' names that a file may not have (1)",
            "left out: people on channel lost, which the file lacks (1)",
            "left out: wirings on channel lost, which the file lacks (1)",
        ]
    );
}

#[tokio::test]
async fn an_empty_database_becomes_the_same_by_an_exported_file() {
    let place = Place::new().await;
    place.import(CURRENT, 1).await;
    place.sql(RUNTIME);
    let exported = place.export(CURRENT).await.unwrap();
    let other = Place::new().await;
    let done = other.import(&exported.text, 3).await;
    assert_eq!((done.overruled, done.groups.added), (0, 2));
    let copy = other.export(&exported.text).await.unwrap();
    assert_eq!(copy.text, exported.text);
    assert_eq!(copy.left_out, Vec::<String>::new());
}

#[tokio::test]
async fn what_was_made_at_run_time_outlives_a_file_without_it() {
    let place = Place::new().await;
    place.import(CURRENT, 1).await;
    place.sql(RUNTIME);
    let exported = place.export(CURRENT).await.unwrap();
    place.import(&exported.text, 2).await;
    let runtime = |dump: String| {
        let rows = dump.lines().map(str::to_owned);
        rows.filter(|row| row.contains("\"runtime\""))
            .collect::<Vec<_>>()
    };
    let before = runtime(place.dump());
    place.import("", 3).await;
    assert_eq!(runtime(place.dump()), before);
    let of_file = |row: &str| row.starts_with("roles ") && row.contains("Text(\"file\")");
    assert!(!place.dump().lines().any(of_file));
}

#[tokio::test]
async fn the_export_has_what_only_the_file_knows_and_what_differs() {
    let place = Place::new().await;
    place.import(CURRENT, 1).await;
    let exported = place.export(CURRENT).await.unwrap();
    let expect = r#"[host]
max_sandboxes = 7

[channels.one]
api_token = "env:TOKEN"
type = "cli"
unknown_senders = "request_approval"

[channels.two]
type = "cli"

[agents.filed]
name = "File's \"own\" é"
provider = "offline"
assistant_name = "Hal"
admin_scope = "disabled"

[agents.filed.limits]
cpus = 0.29

[[wirings]]
channel = "one"
chat = "C:1 \"x\""
agent = "filed"
engage = { pattern = "^\"é\\\\" }
priority = 3

[[wirings]]
channel = "two"
chat = "*"
agent = "filed"

[[conversations]]
channel = "one"
chat = "C:1 \"x\""
kind = "group"
name = "The\n\"team\" \u0000 é"
unknown_senders = "public"

[[conversations]]
channel = "two"
chat = "off"
kind = "direct"
declined = true

[[people]]
channel = "one"
handle = "a:b:\"c' é"
name = "Ann\r\nB"
roles = ["owner", "admin:filed"]
member_of = ["filed"]

[[destinations]]
agent = "filed"
name = "me"
to_agent = "filed"

[[destinations]]
agent = "filed"
name = "other"
channel = "two"
chat = "off"
"#;
    assert_eq!(exported.text, expect);
}

#[tokio::test]
async fn what_no_file_may_say_is_an_error_with_its_place() {
    let place = Place::new().await;
    place.import(CURRENT, 1).await;
    place.sql("UPDATE agent_groups SET provider = 'gone', tries = 99");
    let Err(ExportError::Refused(problems)) = place.export(CURRENT).await else {
        panic!("it was exported");
    };
    let keys: Vec<&str> = problems.list().iter().map(Problem::key).collect();
    assert_eq!(keys, ["agents.filed.provider", "agents.filed.limits.tries"]);
}

#[tokio::test]
async fn of_too_many_conversations_those_with_only_a_name_are_left_out() {
    let place = Place::new().await;
    place.import(CURRENT, 1).await;
    place.sql(
        "WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 10000)
         INSERT INTO conversations SELECT printf('0190163d-8694-739b-aea5-%012d', n), 'two',
             'c' || n, 'group', 'n' || n, 'public', 'file', NULL, 5 FROM n",
    );
    let exported = place.export(CURRENT).await.unwrap();
    assert_eq!(current(&exported.text).conversations.len(), 2);
    assert_eq!(
        exported.left_out,
        ["left out: conversations of which only the name is known (10000)"]
    );
}
