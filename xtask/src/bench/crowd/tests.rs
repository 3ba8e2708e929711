use std::{fs, path::PathBuf};

use super::*;

/// A database with the schema of today and two agents.
fn database() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("anchorhold.db");
    fs::write(&path, "").unwrap();
    let conn = open(&path).unwrap();
    let migrations = concat!(env!("CARGO_MANIFEST_DIR"), "/../migrations");
    let mut scripts: Vec<PathBuf> = fs::read_dir(migrations)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    scripts.sort();
    for script in scripts {
        conn.execute_batch(&fs::read_to_string(script).unwrap())
            .unwrap();
    }
    for folder in ["one", "two"] {
        conn.execute(
            "INSERT INTO agent_groups VALUES
             (?1, ?1, ?1, 'offline', NULL, 'auto', 0, 0, 0, 0, 0, 0, 0, 0, 0, 'runtime', NULL, 0)",
            [folder],
        )
        .unwrap();
    }
    (folder, path)
}

#[test]
fn a_crowd_is_as_large_as_it_was_asked_for() {
    let (_folder, path) = database();
    fill(&path, 2_000).unwrap();
    let conn = open(&path).unwrap();
    let count = |what: &str| -> u32 {
        let sql = format!("SELECT COUNT(*) FROM {what}");
        conn.query_row(&sql, [], |row| row.get(0)).unwrap()
    };
    assert_eq!(count("users"), 2_000);
    assert_eq!(count("wirings WHERE managed_by = 'runtime'"), 5_000);
    assert_eq!(count("conversations"), CHATS);
    assert_eq!(count("destinations"), 5_000);
    assert_eq!(count("members"), 80);
    assert_eq!(count("roles"), 3);
    assert!(count("subscriptions") > 0);
    for engage in ["pattern", "mention", "mention-sticky"] {
        assert!(count(&format!("wirings WHERE engage = '{engage}'")) > 1_000);
    }
    assert_eq!(count("pragma_foreign_key_check"), 0);
}

#[test]
fn people_and_chats_are_found_by_their_names() {
    let (_folder, path) = database();
    fill(&path, 2_000).unwrap();
    let conn = open(&path).unwrap();
    let has = |sql: &str, name: &str| -> bool {
        let sql = format!("SELECT EXISTS ({sql})");
        conn.query_row(&sql, [name], |row| row.get(0)).unwrap()
    };
    for number in [0, 1, 1_234, 1_999] {
        assert!(has(
            "SELECT 1 FROM users WHERE handle = ?1",
            &handle(number)
        ));
    }
    for number in [0, CHATS - 1] {
        assert!(has("SELECT 1 FROM wirings WHERE chat = ?1", &chat(number)));
    }
    for number in [0, CHATS / 4 - 1] {
        let sql = "SELECT 1 FROM wirings WHERE chat = ?1
             GROUP BY chat HAVING COUNT(*) = 2 AND MIN(pattern) LIKE '%wake-%'
             AND MAX(engage) = 'pattern' AND MAX(ignored) = 'drop'";
        assert!(has(sql, &quiet_chat(number)));
    }
}

#[test]
fn a_database_without_agents_is_not_filled() {
    let (_folder, path) = database();
    open(&path)
        .unwrap()
        .execute("DELETE FROM agent_groups", [])
        .unwrap();
    assert!(fill(&path, 2_000).is_err());
}
