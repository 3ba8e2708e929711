use std::fs;

use anchorhold_core::ids::InstallId;

use crate::{
    Disposition, Durability, Error, Store,
    pull::Pulled,
    tests::fixture::{Budget, Place, address, at, bytes, event, message, pulled},
};

#[tokio::test]
async fn a_fresh_file_gets_the_schema_and_is_well() {
    let place = Place::new().await;
    let health = place.store.health().await.unwrap();
    assert_eq!(
        (
            health.schema_version,
            health.journal_mode.as_str(),
            &health.problems
        ),
        (Store::newest_schema(), "wal", &Vec::new())
    );
    assert_eq!(place.number("PRAGMA foreign_keys").await, 1);
    // Opening it again applies nothing.
    let place = place.reopen().await;
    assert_eq!(place.store.health().await.unwrap(), health);
}

#[tokio::test]
async fn the_first_install_id_stays() {
    let place = Place::new().await;
    let (first, second) = (
        InstallId::mint(at(0), bytes("a")),
        InstallId::mint(at(1), bytes("b")),
    );
    assert_eq!(place.store.install_id(first, at(0)).await.unwrap(), first);
    let place = place.reopen().await;
    assert_eq!(place.store.install_id(second, at(1)).await.unwrap(), first);
}

#[tokio::test]
async fn readers_cannot_write() {
    let place = Place::new().await;
    let mut conn = place.store.reader().await.unwrap();
    let refused = sqlx::query("DELETE FROM install").execute(&mut *conn).await;
    assert!(refused.unwrap_err().to_string().contains("readonly"));
}

#[tokio::test]
async fn a_file_that_is_no_database_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("central.db");
    fs::write(
        &path,
        "not a database, but long enough to be taken for one ".repeat(40),
    )
    .unwrap();
    let error = Store::open(&path).await.unwrap_err();
    assert_eq!(error.disposition(), Disposition::Damaged);
    assert!(
        matches!(error, Error::Open { .. } | Error::Migrate { .. }),
        "{error:?}"
    );
}

#[tokio::test]
async fn power_safe_commits_are_full_and_the_others_normal_again() {
    let place = Place::new().await;
    let session = place.session(1, "chat").await;
    let mode = async || {
        let mut conn = place.store.writer.acquire().await.unwrap();
        sqlx::query_scalar::<_, i64>("PRAGMA synchronous")
            .fetch_one(&mut *conn)
            .await
            .unwrap()
    };
    assert_eq!(mode().await, 1);
    let event = event(2, vec![message(session, 2)]);
    place.store.record_event(&event).await.unwrap();
    assert_eq!(mode().await, 2);
    place.store.clear_fault(session).await.unwrap();
    assert_eq!(mode().await, 1);
    place.store.note_reply(session, 1).await.unwrap();
    assert_eq!(mode().await, 2);
    place.store.clear_fault(session).await.unwrap();
    assert_eq!(mode().await, 1);
    place.store.begin_generation(session, at(1)).await.unwrap();
    assert_eq!(mode().await, 2);
    place.store.clear_fault(session).await.unwrap();
    assert_eq!(mode().await, 1);
    let notice = crate::tests::fixture::delivery("n", address("chat", None));
    place
        .store
        .new_delivery(None, &notice, at(1))
        .await
        .unwrap();
    assert_eq!(mode().await, 2);
    for durable in [false, true] {
        let answer = Pulled {
            deliveries: vec![pulled(1, address("chat", None))],
            durable,
            ..Pulled::default()
        };
        place.store.accept(session, &answer, at(1)).await.unwrap();
        assert_eq!(mode().await, 1 + i64::from(durable));
    }
    place.store.clear_fault(session).await.unwrap();
    place
        .store
        .begin_attempt(notice.id, 0, Durability::Power, at(1))
        .await
        .unwrap();
    assert_eq!(mode().await, 2);
}

#[tokio::test]
async fn a_killed_host_loses_no_commit() {
    let place = Place::new().await;
    let session = place.session(1, "chat").await;
    place
        .store
        .record_event(&event(2, vec![message(session, 2)]))
        .await
        .unwrap();
    // The files as they are this moment are what a killed process leaves behind.
    let left = tempfile::tempdir().unwrap();
    for name in ["central.db", "central.db-wal"] {
        fs::copy(place.dir.path().join(name), left.path().join(name)).unwrap();
    }
    let store = Store::open(&left.path().join("central.db")).await.unwrap();
    assert_eq!(store.session_work(session).await.unwrap().pending, 1);
}

#[tokio::test]
async fn a_call_that_is_dropped_half_way_has_happened_wholly_or_not_at_all() {
    let mut place = Place::new().await;
    let session = place.session(1, "chat").await;
    let mut whole = 0;
    for polls in 0..200 {
        let n = i64::from(polls) * 2 + 2;
        let event = event(n, vec![message(session, n)]);
        let call = Budget {
            future: Box::pin(place.store.record_event(&event)),
            polls,
        };
        let finished = call.await.is_some();
        place = place.reopen().await;
        let seen = place
            .store
            .event_seen(
                &event.address.channel,
                &event.address.chat,
                &event.message_id,
            )
            .await
            .unwrap();
        let tracked = place.store.message(session, n).await.unwrap().is_some();
        assert_eq!(seen, tracked, "after {polls} polls");
        assert!(seen || !finished, "after {polls} polls");
        whole += u32::from(finished);
        if whole > 2 {
            return;
        }
    }
    panic!("the call never finished");
}

#[tokio::test]
async fn dropping_the_store_in_a_transaction_leaves_the_old_state() {
    let place = Place::new().await;
    let session = place.session(1, "chat").await;
    let mut conn = place.store.writer(Durability::Process).await.unwrap();
    let mut tx = super::begin(&mut conn).await.unwrap();
    sqlx::query("UPDATE sessions SET fault = 'half', faulted_at = 1")
        .execute(&mut *tx)
        .await
        .unwrap();
    drop(tx);
    drop(conn);
    let place = place.reopen().await;
    let row = place.store.session(session).await.unwrap().unwrap();
    assert_eq!(row.fault, None);
    // And the connection is fit for use.
    let row = Pulled {
        deliveries: vec![pulled(1, address("chat", None))],
        ..Pulled::default()
    };
    assert_eq!(
        place
            .store
            .accept(session, &row, at(1))
            .await
            .unwrap()
            .deliveries,
        1
    );
}

#[tokio::test]
async fn calls_that_are_dropped_leave_the_connection_fit_for_the_next() {
    let place = Place::new().await;
    let notice = crate::tests::fixture::delivery("n", address("chat", None));
    place
        .store
        .new_delivery(None, &notice, at(0))
        .await
        .unwrap();
    for polls in 0..100 {
        let call = Budget {
            future: Box::pin(
                place
                    .store
                    .begin_attempt(notice.id, 0, Durability::Power, at(1)),
            ),
            polls,
        };
        let finished = call.await;
        let open = place.store.interrupted_attempts(10).await.unwrap();
        let Some(attempt) = finished else {
            // A commit that was under way may still come; the attempt is then there to be settled,
            // and the lane stands still until it is.
            for attempt in open {
                let settled = crate::attempts::Settled::Park;
                place
                    .store
                    .settle_attempt(attempt.attempt, &settled, at(2))
                    .await
                    .unwrap();
            }
            continue;
        };
        match attempt {
            Ok(attempt) => {
                assert_eq!(open.len(), 1);
                assert_eq!(open[0].attempt, attempt);
                return;
            }
            Err(error) => {
                assert!(matches!(error, Error::AttemptRefused { .. }), "{error:?}");
                assert_eq!(open.len(), 1, "after {polls} polls");
                return;
            }
        }
    }
    panic!("the call never finished");
}

#[tokio::test]
async fn looking_changes_nothing_and_makes_nothing() {
    let place = Place::new().await;
    let session = place.session(1, "chat").await;
    let looking = Store::open_reading(place.store.path()).await.unwrap();
    assert_eq!(
        looking.session(session).await.unwrap().unwrap().session.id,
        session
    );
    assert!(looking.clear_fault(session).await.is_err());
    let absent = place.dir.path().join("absent.db");
    assert!(Store::open_reading(&absent).await.is_err());
    assert!(!absent.exists());
}

#[tokio::test]
async fn the_log_is_folded_in_when_it_is_asked_for_and_not_by_a_commit() {
    let place = Place::new().await;
    let session = place.session(1, "chat").await;
    let file = || {
        fs::metadata(place.store.path())
            .unwrap()
            .modified()
            .unwrap()
    };
    place.store.fold_log().await.unwrap();
    let folded = file();
    for n in 1..300 {
        let message = message(session, n * 2);
        place
            .store
            .record_event(&event(n * 2, vec![message]))
            .await
            .unwrap();
    }
    assert_eq!(file(), folded);
    place.store.fold_log().await.unwrap();
    assert!(file() > folded);
}

/// A disk that was full for a moment must not cost the host its only writing connection: SQLite had
/// ended the transaction itself, its rollback failed, and every later call was refused.
#[tokio::test]
async fn a_transaction_that_sqlite_has_ended_itself_does_not_block_the_next() {
    let place = Place::new().await;
    let mut conn = place.store.writer(Durability::Process).await.unwrap();
    let mut tx = super::begin(&mut conn).await.unwrap();
    sqlx::query("ROLLBACK").execute(&mut *tx).await.unwrap();
    drop(tx);
    drop(conn);
    let id = InstallId::mint(at(0), bytes("a"));
    assert_eq!(place.store.install_id(id, at(0)).await.unwrap(), id);
    let mut conn = place.store.writer(Durability::Process).await.unwrap();
    assert!(super::begin(&mut conn).await.is_ok());
}
