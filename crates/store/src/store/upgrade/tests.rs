use std::{borrow::Cow, fs, path::Path};

use sqlx::{
    Connection, SqlSafeStr, SqliteConnection,
    migrate::{Migration, MigrationType, Migrator},
    sqlite::SqliteConnectOptions,
};

use crate::{
    Disposition, Error, Store,
    store::{MIGRATIONS, upgrade::bring_up_to_date},
};

/// The real migrations and after them these.
fn with(more: &[(i64, &'static str)]) -> Migrator {
    let mut all: Vec<Migration> = MIGRATIONS.iter().cloned().collect();
    for (version, sql) in more {
        all.push(Migration::new(
            *version,
            Cow::Borrowed("of a test"),
            MigrationType::Simple,
            sql.into_sql_str(),
            false,
        ));
    }
    Migrator {
        migrations: Cow::Owned(all),
        ..Migrator::DEFAULT
    }
}

async fn open(path: &Path) -> SqliteConnection {
    let options = SqliteConnectOptions::new().filename(path);
    SqliteConnection::connect_with(&options).await.unwrap()
}

async fn upgrade(path: &Path, migrations: &Migrator) -> Result<(), Error> {
    let mut conn = open(path).await;
    let done = bring_up_to_date(&mut conn, path, migrations).await;
    conn.close().await.unwrap();
    done
}

/// The names that lie beside the database, sorted.
fn beside(path: &Path) -> Vec<String> {
    let names = fs::read_dir(path.parent().unwrap()).unwrap();
    let mut names: Vec<String> = names
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.contains("before"))
        .collect();
    names.sort();
    names
}

#[tokio::test]
async fn a_new_file_needs_no_copy_and_an_old_one_gets_one() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("central.db");
    Store::open(&path).await.unwrap().close().await;
    assert_eq!(beside(&path), Vec::<String>::new());
    upgrade(&path, &with(&[(9001, "CREATE TABLE extra (a INTEGER)")]))
        .await
        .unwrap();
    assert_eq!(beside(&path), ["central.db.before-9001"]);
    // The copy is the file as it was: the program that knows it opens it.
    let copy = dir.path().join("central.db.before-9001");
    Store::open(&copy).await.unwrap().close().await;
    let mode = std::os::unix::fs::PermissionsExt::mode(&fs::metadata(&copy).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
}

#[tokio::test]
async fn a_migration_that_fails_leaves_the_old_program_running() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("central.db");
    Store::open(&path).await.unwrap().close().await;
    let broken = with(&[
        (9001, "CREATE TABLE extra (a INTEGER)"),
        (
            9002,
            "CREATE TABLE more (a INTEGER); INSERT INTO nowhere VALUES (1)",
        ),
    ]);
    let failed = upgrade(&path, &broken).await.unwrap_err();
    assert!(matches!(failed, Error::Migrate { .. }), "{failed:?}");
    let mut conn = open(&path).await;
    let left: i64 =
        sqlx::query_scalar("SELECT count(*) FROM sqlite_schema WHERE name IN ('extra', 'more')")
            .fetch_one(&mut conn)
            .await
            .unwrap();
    assert_eq!(left, 0, "the first of them is undone with the second");
    conn.close().await.unwrap();
    Store::open(&path).await.unwrap().close().await;
}

#[tokio::test]
async fn a_newer_schema_is_told_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("central.db");
    Store::open(&path).await.unwrap().close().await;
    upgrade(&path, &with(&[(9001, "CREATE TABLE extra (a INTEGER)")]))
        .await
        .unwrap();
    let before = fs::read(&path).unwrap();
    let refused = Store::open(&path).await.unwrap_err();
    assert!(
        matches!(refused, Error::Newer { found: 9001, .. }),
        "{refused:?}"
    );
    assert_eq!(refused.disposition(), Disposition::Damaged);
    assert_eq!(fs::read(&path).unwrap(), before);
    assert_eq!(beside(&path).len(), 1);
}

#[tokio::test]
async fn only_the_newest_copies_are_kept() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("central.db");
    Store::open(&path).await.unwrap().close().await;
    let mut more: Vec<(i64, &str)> = Vec::new();
    for version in 9001..9006 {
        more.push((version, "SELECT 1"));
        upgrade(&path, &with(&more)).await.unwrap();
    }
    let kept = [9003, 9004, 9005].map(|version| format!("central.db.before-{version}"));
    assert_eq!(beside(&path), kept);
}
