//! The schema as a whole: its checks, its references, and the plans of its hot queries.

use anchorhold_core::{
    access::Role,
    entity::{
        AdminScope, ApprovalStatus, DeliveryStatus, EngageMode, IgnoredPolicy, ManagedBy,
        MessageStatus, RuntimeChoice, SenderScope, SessionMode, UnknownSenderPolicy,
    },
    inbound::ChatKind,
};
use sqlx::Row;

use crate::{
    Durability, approvals,
    attempts::{self, AttemptOutcome},
    audit::{self, AuditEntry, AuditRuling},
    cited, conversations,
    deliveries::{self, Origin},
    desk, destinations, direct_chats, ends, groups,
    ingest::{self, EventOutcome},
    journal, people, pull,
    questions::{self, QuestionStatus},
    requests_out, retention,
    rows::chat_kind_text,
    sessions, status,
    tasks::{self, TaskState, runs::RunOutcome},
    tests::fixture::{Place, address, at, delivery, event, message, wiring},
    trace,
    views::View,
    wirings, work,
};

pub(crate) mod fixture;

/// A database with a row in every table that has a closed set of values.
async fn full() -> Place {
    let place = Place::new().await;
    let store = &place.store;
    let session = place.session(1, "chat").await;
    let group = fixture::group(1).id;
    let user = place.user("ann").await;
    store
        .grant_role(user, Role::Admin, None, at(0))
        .await
        .unwrap();
    store
        .add_wiring(&wiring(1, None, group), 0, at(0))
        .await
        .unwrap();
    store
        .record_event(&event(2, vec![message(session, 2)]))
        .await
        .unwrap();
    let pulled = pull::Pulled {
        deliveries: vec![fixture::pulled(3, address("chat", None))],
        ..pull::Pulled::default()
    };
    store.accept(session, &pulled, at(3)).await.unwrap();
    let out = pulled.deliveries[0].delivery.id;
    store
        .begin_attempt(out, 0, Durability::Power, at(4))
        .await
        .unwrap();
    store.add_member(user, group, None, at(0)).await.unwrap();
    let entry = AuditEntry {
        actor: "operator",
        act: "restore",
        detail: "",
        ruling: AuditRuling::Allowed,
    };
    store.audit(&entry, at(0)).await.unwrap();
    for sql in [
        "INSERT INTO destinations (agent_group_id, name, target_type, target_conversation_id, created_at)
         SELECT g.id, 'there', 'channel', c.id, 0 FROM agent_groups g, conversations c",
        "INSERT INTO questions (id, session_id, delivery_id, title, options, status, created_at, expires_at)
         SELECT 'q', session_id, id, 'T', '[]', 'open', 0, 9 FROM deliveries",
        "INSERT INTO approvals (id, action, action_hash, subject, payload, title, options, status, created_at, expires_at)
         VALUES ('a', 'x', 'h', 's', '{}', 'T', '[]', 'pending', 0, 9)",
        "INSERT INTO tasks (id, agent_group_id, name, prompt, cron, zone, conversation_id, apart, state, next_at, created_at)
         SELECT '01890a5d-ac96-774b-bcce-b302099a8057', g.id, 'report', 'secret', '0 9 * * *', 'UTC', c.id, 1, 'active', 9, 0
         FROM agent_groups g, conversations c WHERE g.folder = 'g1' AND c.chat = 'chat'",
        "INSERT INTO task_runs (task_id, number, session_id, seq, due_at, missed, began_at)
         SELECT t.id, 1, s.id, 2, 1, 0, 1 FROM tasks t, sessions s",
    ] {
        place.sql(sql).await.unwrap();
    }
    place
}

/// How a column is set to `?`, and the values it has.
type ClosedSet = (&'static str, Vec<&'static str>);

fn all<T: Copy>(values: &[T], text: fn(T) -> &'static str) -> Vec<&'static str> {
    values.iter().map(|value| text(*value)).collect()
}

/// The closed sets of groups, conversations and wirings.
fn configuration_sets() -> Vec<ClosedSet> {
    let managed = || all(ManagedBy::ALL, ManagedBy::as_str);
    let policies = || all(UnknownSenderPolicy::ALL, UnknownSenderPolicy::as_str);
    vec![
        (
            "agent_groups SET runtime = ?",
            all(RuntimeChoice::ALL, RuntimeChoice::as_str),
        ),
        ("agent_groups SET managed_by = ?", managed()),
        (
            "group_config SET admin_scope = ?",
            all(AdminScope::ALL, AdminScope::as_str),
        ),
        (
            "conversations SET kind = ?",
            all(&[ChatKind::Direct, ChatKind::Group], chat_kind_text),
        ),
        ("conversations SET unknown_senders = ?", policies()),
        ("conversations SET policy_managed_by = ?", managed()),
        (
            "wirings SET engage = ?",
            all(EngageMode::ALL, EngageMode::as_str),
        ),
        (
            "wirings SET sender_scope = ?",
            all(SenderScope::ALL, SenderScope::as_str),
        ),
        (
            "wirings SET ignored = ?",
            all(IgnoredPolicy::ALL, IgnoredPolicy::as_str),
        ),
        (
            "wirings SET session_mode = ?",
            all(SessionMode::ALL, SessionMode::as_str),
        ),
        ("wirings SET managed_by = ?", managed()),
    ]
}

/// As [`configuration_sets`], of people, messages and what is decided.
fn work_sets() -> Vec<ClosedSet> {
    let managed = || all(ManagedBy::ALL, ManagedBy::as_str);
    vec![
        ("roles SET role = ?", vec!["owner", "admin"]),
        (
            "destinations SET target_type = ?,
             target_conversation_id = CASE ? WHEN 'channel' THEN (SELECT id FROM conversations) END,
             target_agent_group_id = CASE ? WHEN 'agent' THEN agent_group_id END",
            vec!["channel", "agent"],
        ),
        (
            "events SET outcome = ?",
            all(EventOutcome::ALL, EventOutcome::as_str),
        ),
        (
            "messages SET status = ?",
            all(MessageStatus::ALL, MessageStatus::as_str),
        ),
        (
            "deliveries SET origin = ?",
            all(Origin::ALL, Origin::as_str),
        ),
        (
            "deliveries SET status = ?, ended_at = CASE ? WHEN 'pending' THEN NULL ELSE 1 END",
            all(DeliveryStatus::ALL, DeliveryStatus::as_str),
        ),
        (
            "attempts SET ended_at = 1, outcome = ?",
            all(AttemptOutcome::ALL, AttemptOutcome::as_str),
        ),
        (
            "questions SET status = ?",
            all(QuestionStatus::ALL, QuestionStatus::as_str),
        ),
        (
            "approvals SET status = ?",
            all(ApprovalStatus::ALL, ApprovalStatus::as_str),
        ),
        ("roles SET managed_by = ?", managed()),
        ("members SET managed_by = ?", managed()),
        ("destinations SET managed_by = ?", managed()),
        (
            "tasks SET state = ?, ended_at = CASE ? WHEN 'ended' THEN 1 END",
            all(TaskState::ALL, TaskState::as_str),
        ),
        (
            "task_runs SET ended_at = 1, outcome = ?",
            all(RunOutcome::ALL, RunOutcome::as_str),
        ),
        (
            "audit SET ruling = ?",
            all(AuditRuling::ALL, AuditRuling::as_str),
        ),
    ]
}

#[tokio::test]
async fn every_closed_set_takes_its_values_and_no_other() {
    let place = full().await;
    let mut sets = configuration_sets();
    sets.extend(work_sets());
    for (set, values) in &sets {
        let update = |value: &str| format!("UPDATE {}", set.replace('?', &format!("'{value}'")));
        for value in values {
            let changed = place.sql(&update(value)).await;
            assert_eq!(changed.unwrap(), 1, "{set} {value}");
        }
        for wrong in ["wrong", "", &values[0].to_uppercase()] {
            let refused = place.sql(&update(wrong)).await.unwrap_err();
            let refused = refused.into_database_error().unwrap();
            assert!(refused.is_check_violation(), "{set} {wrong}: {refused}");
        }
    }
    // `parked` is a number; every other list of values in the schema is tried above.
    let lists = "SELECT SUM((LENGTH(sql) - LENGTH(REPLACE(sql, ' IN (''', ''))) / 6)
                 FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'";
    assert_eq!(
        usize::try_from(place.number(lists).await).unwrap(),
        sets.len()
    );
}

#[tokio::test]
async fn owners_are_global_and_deliveries_of_agents_have_a_number() {
    let place = full().await;
    for sql in [
        "INSERT INTO roles (user_id, role, agent_group_id, granted_at)
         SELECT u.id, 'owner', g.id, 0 FROM users u, agent_groups g",
        "UPDATE deliveries SET seq = NULL",
        "UPDATE messages SET next_at = NULL",
        "UPDATE wirings SET pattern = NULL",
        "UPDATE deliveries SET payload = '{'",
    ] {
        let refused = place.sql(sql).await.unwrap_err();
        assert!(
            refused.into_database_error().unwrap().is_check_violation(),
            "{sql}"
        );
    }
}

#[tokio::test]
async fn every_reference_can_be_followed_back_without_a_scan() {
    let place = Place::new().await;
    let mut conn = place.store.reader().await.unwrap();
    let references = sqlx::query(
        "SELECT t.name, f.\"from\" FROM sqlite_schema t, pragma_foreign_key_list(t.name) f
         WHERE t.type = 'table' AND f.seq = 0",
    )
    .fetch_all(&mut *conn)
    .await
    .unwrap();
    assert!(references.len() > 20);
    for row in references {
        let (table, column): (String, String) = (row.get(0), row.get(1));
        let sql = format!("EXPLAIN QUERY PLAN SELECT 1 FROM {table} WHERE {column} = ?1");
        let plan = sqlx::query(sqlx::AssertSqlSafe(sql))
            .fetch_one(&mut *conn)
            .await
            .unwrap();
        let detail: String = plan.get("detail");
        assert!(detail.starts_with("SEARCH"), "{table}.{column}: {detail}");
    }
}

/// The queries of the data path and of the listings.
const HOT: &[&str] = &[
    approvals::BY_CODE,
    approvals::OVERDUE,
    approvals::PENDING,
    approvals::SAME,
    approvals::TO_CARRY_OUT,
    approvals::held::HELD,
    attempts::END,
    attempts::INTERRUPTED,
    attempts::REFUSED,
    audit::PRUNE,
    cited::DELIVERED,
    cited::HEARD,
    conversations::CONVERSATION,
    conversations::WIRINGS_FOR,
    conversations::WIRINGS_OF_CHAT,
    deliveries::BY_SEQ,
    deliveries::DUE_LANES,
    deliveries::FAILED,
    deliveries::NEXT_DELIVERY,
    deliveries::OLDEST,
    deliveries::PUT_OFF_CHAT,
    deliveries::UNPARK,
    desk::BEING_CARRIED_OUT,
    desk::CARD,
    desk::LAST_ADDRESS,
    desk::OF_CONVERSATION,
    desk::OVERDUE,
    desk::PENDING,
    desk::REJECTED,
    desk::REPLAYED_AT,
    destinations::HAS_CONVERSATION,
    destinations::OF_GROUP,
    direct_chats::DIRECT_CHAT,
    ends::ATTEMPTS,
    ends::OWNERS_TOLD,
    ends::UNTOLD,
    groups::ADMIN_SCOPE,
    groups::IN_SESSION,
    ingest::DROPPED,
    ingest::HEARD_BY,
    ingest::PRUNE_EVENTS,
    ingest::SEEN,
    ingest::batch::BY_PLATFORM_ID,
    ingest::batch::BY_WORD,
    ingest::batch::CONTEXT,
    ingest::batch::END_CONTEXT,
    ingest::numbers::NUMBERS,
    journal::NEXT_SESSION,
    journal::NOT_JOURNALED,
    journal::ROWS,
    journal::TO_REBUILD,
    people::HAS_OWNER,
    people::SENDER_KNOWN,
    people::STANDING,
    people::SUBSCRIBED,
    people::USER,
    pull::REJECTED,
    questions::BY_CODE,
    questions::CLOSE,
    questions::EXPIRE,
    questions::SAID_SINCE,
    questions::UNSETTLED,
    requests_out::FORGET,
    retention::ENDED,
    retention::EXPIRED,
    retention::FORGET_DELIVERIES,
    retention::FORGET_APPROVALS,
    retention::FORGET_DROPPED,
    retention::FORGET_MESSAGE,
    retention::FORGET_PERSON,
    retention::FORGET_REJECTED,
    retention::FORGET_SUBSCRIPTIONS,
    retention::PEOPLE,
    retention::REST,
    retention::RETIRE,
    retention::ROWS_OF[0],
    retention::ROWS_OF[1],
    retention::ROWS_OF[2],
    retention::TO_TEND,
    sessions::ANSWERED,
    sessions::FAULTED,
    sessions::OF_GROUP,
    sessions::OPEN_SESSION,
    sessions::SESSIONS,
    sessions::WAKE,
    status::COUNTS,
    tasks::LIVE,
    tasks::NAMED,
    tasks::NAMES,
    tasks::runs::CLAIM,
    tasks::runs::DUE,
    tasks::runs::FORGET_RUNS,
    tasks::runs::FORGET_TASKS,
    tasks::runs::NEXT,
    tasks::runs::OF_MESSAGE,
    tasks::runs::OF_TASK,
    tasks::runs::OVER,
    tasks::runs::TO_REPLAN,
    trace::FORGET,
    trace::find::BY_ID,
    trace::find::BY_OUTBOUND,
    trace::find::BY_OUTBOUND_SEQ,
    trace::find::BY_PLATFORM,
    trace::find::BY_PLATFORM_HEARD,
    trace::find::BY_SEQ,
    trace::find::LAST_OF_PERSON,
    trace::story::AHEAD,
    trace::story::HEARINGS,
    trace::story::OF_DELIVERY,
    trace::story::OF_HOST,
    trace::story::OF_MESSAGE,
    trace::story::OF_SESSION,
    trace::story::SAID,
    trace::story::WORD,
    wirings::OF_GROUP,
    work::BY_SEQS,
    work::DUE_SESSIONS,
    work::END_ALL,
    work::MESSAGE,
    work::NEXT_DUE,
    work::PENDING,
    work::SESSION_WORK,
    pull::MOVE,
];

/// The same, where one text is several statements.
const BATCHES: &[&str] = &[
    attempts::steps::STEP,
    ingest::batch::EVENTS,
    ingest::batch::MESSAGES,
    ingest::batch::REST,
    pull::TAKE,
];

#[tokio::test]
async fn defect_50_no_polling_no_full_reads() {
    let place = Place::new().await;
    let mut conn = place.store.reader().await.unwrap();
    let partial: Vec<String> = sqlx::query_scalar(
        "SELECT name FROM sqlite_schema WHERE type = 'index' AND sql LIKE '% WHERE %'",
    )
    .fetch_all(&mut *conn)
    .await
    .unwrap();
    // Listings of what there can be a million of come out of an index, in its order.
    let listings = [
        View::Users,
        View::Sessions,
        View::Approvals,
        View::Dropped,
        View::Deadletters,
    ];
    let listings = listings.map(|view| view.listing().sql);
    let each: Vec<&str> = BATCHES.iter().flat_map(|sql| sql.split(';')).collect();
    for sql in HOT.iter().chain(&listings).chain(&each) {
        let explain = sqlx::AssertSqlSafe(format!("EXPLAIN QUERY PLAN {sql}"));
        let plan = sqlx::query(explain).fetch_all(&mut *conn).await.unwrap();
        let details: Vec<String> = plan.iter().map(|row| row.get("detail")).collect();
        let sorts = details.iter().any(|d| d.contains("TEMP B-TREE FOR ORDER"));
        for detail in details.iter().filter(|d| d.starts_with("SCAN")) {
            let index = detail.rsplit("INDEX ").next().unwrap_or_default();
            // What waits is not history; nor is what a limited query reads in the index's order.
            let fine = detail.starts_with("SCAN (subquery")
                // What comes with the statement itself.
                || detail.contains(" VIRTUAL TABLE ")
                || detail == "SCAN CONSTANT ROW"
                || partial.iter().any(|name| name == index)
                || (detail.contains(" INDEX ") && sql.contains("LIMIT") && !sorts);
            assert!(fine, "{detail}\nin {sql}\n{details:#?}");
        }
    }
}

#[tokio::test]
async fn a_value_that_cannot_be_is_an_error_that_names_its_column() {
    let place = full().await;
    let session = place.session(1, "chat").await;
    // The checks are there against mistakes; somebody who edits by hand can turn them off.
    place
        .sql("PRAGMA ignore_check_constraints = ON")
        .await
        .unwrap();
    for (sql, column) in [
        ("UPDATE messages SET status = 'lost'", "messages.status"),
        ("UPDATE messages SET tries = -1", "messages.tries"),
        (
            "UPDATE messages SET created_at = 9223372036854775807",
            "messages.created_at",
        ),
        ("UPDATE messages SET id = 'nothing'", "messages.id"),
        ("UPDATE messages SET chat = ''", "messages.chat"),
    ] {
        place.sql(sql).await.unwrap();
        let error = place.store.message(session, 2).await.unwrap_err();
        let said = std::error::Error::source(&error).unwrap().to_string();
        assert!(said.contains(column), "{sql}: {said}");
        assert_eq!(error.disposition(), crate::Disposition::Damaged);
        let repair =
            "UPDATE messages SET status = 'pending', tries = 0, created_at = 0, chat = 'chat'";
        place.sql(repair).await.unwrap();
        if column == "messages.id" {
            let id = message(session, 2).id;
            place
                .sql(&format!("UPDATE messages SET id = '{id}'"))
                .await
                .unwrap();
        }
    }
    assert!(place.store.message(session, 2).await.unwrap().is_some());
}

#[tokio::test]
async fn what_is_said_never_shows_in_debug_output() {
    let shown = format!("{:?}", delivery("secret", address("chat", None)));
    assert!(!shown.contains("secret"), "{shown}");
}
