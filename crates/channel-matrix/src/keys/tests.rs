//! What the SDK's store in memory keeps is there again after a restart.

use camino::{Utf8Path, Utf8PathBuf};
use matrix_sdk::ruma::{device_id, room_id, user_id};
use matrix_sdk_crypto::{
    olm::{EncryptionSettings, SenderData},
    store::types::{BackupDecryptionKey, DeviceChanges, SecretsInboxItem},
};
use tempfile::TempDir;

use super::*;

fn place() -> (TempDir, Utf8PathBuf) {
    let dir = TempDir::new().unwrap();
    let path = Utf8Path::from_path(dir.path()).unwrap().join("a/b.keys");
    (dir, path)
}

#[tokio::test]
async fn an_account_its_sessions_and_its_secrets_are_there_again() {
    let (_dir, path) = place();
    let keys = Keys::open(&path).await.unwrap();
    let account = Account::with_device_id(user_id!("@bot:a.b"), device_id!("BOT"));
    let identity = account.identity_keys();
    let device = DeviceData::from_account(&account);
    let room = room_id!("!room:a.b");
    let (outbound, inbound) = account
        .create_group_session_pair(room, EncryptionSettings::default(), SenderData::unknown())
        .await
        .unwrap();
    let pending = PendingChanges {
        account: Some(account),
    };
    keys.save_pending_changes(pending).await.unwrap();
    let secret_name = SecretName::RecoveryKey;
    let secret = |text: &str| SecretsInboxItem {
        secret_name: secret_name.clone(),
        secret: text.to_owned().into(),
    };
    let changes = Changes {
        devices: DeviceChanges {
            new: vec![device.clone()],
            ..DeviceChanges::default()
        },
        private_identity: Some(PrivateCrossSigningIdentity::empty(user_id!("@bot:a.b"))),
        inbound_group_sessions: vec![inbound.clone()],
        outbound_group_sessions: vec![outbound.clone()],
        backup_decryption_key: Some(BackupDecryptionKey::new()),
        backup_version: Some("7".to_owned()),
        secrets: vec![secret("one"), secret("two")],
        next_batch_token: Some("s1".to_owned()),
        ..Changes::default()
    };
    keys.save_changes(changes).await.unwrap();
    // A change without an identity is not its end.
    let more = Changes {
        secrets: vec![secret("three")],
        ..Changes::default()
    };
    keys.save_changes(more).await.unwrap();
    assert!(keys.load_identity().await.unwrap().is_some());
    drop(keys);

    let keys = Keys::open(&path).await.unwrap();
    let account = keys.load_account().await.unwrap().unwrap();
    assert_eq!(account.identity_keys(), identity);
    assert_eq!(keys.get_own_device().await.unwrap(), device);
    assert!(keys.load_identity().await.unwrap().is_some());
    let found = keys
        .get_inbound_group_session(room, inbound.session_id())
        .await;
    assert_eq!(found.unwrap().unwrap(), inbound);
    let found = keys
        .get_outbound_group_session(room)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(found.session_id(), outbound.session_id());
    its_secrets_are(&keys, &["one", "three", "two"]).await;
    assert_eq!(
        keys.next_batch_token().await.unwrap().as_deref(),
        Some("s1")
    );
}

#[tokio::test]
async fn a_secret_that_was_used_is_gone() {
    let (_dir, path) = place();
    let keys = Keys::open(&path).await.unwrap();
    let secret_name = SecretName::RecoveryKey;
    let item = SecretsInboxItem {
        secret_name: secret_name.clone(),
        secret: "one".to_owned().into(),
    };
    let changes = Changes {
        secrets: vec![item],
        ..Changes::default()
    };
    keys.save_changes(changes).await.unwrap();
    keys.delete_secrets_from_inbox(&secret_name).await.unwrap();
    drop(keys);

    let keys = Keys::open(&path).await.unwrap();
    let secrets = keys.get_secrets_from_inbox(&secret_name).await.unwrap();
    assert!(secrets.is_empty());
}

#[tokio::test]
async fn people_and_values_are_there_again() {
    let (_dir, path) = place();
    let keys = Keys::open(&path).await.unwrap();
    let ann = user_id!("@ann:a.b");
    keys.save_tracked_users(&[(ann, true)]).await.unwrap();
    keys.set_custom_value("k", vec![1, 2]).await.unwrap();
    keys.set_custom_value("gone", vec![1]).await.unwrap();
    keys.remove_custom_value("gone").await.unwrap();
    drop(keys);

    let keys = Keys::open(&path).await.unwrap();
    let tracked = keys.load_tracked_users().await.unwrap();
    assert_eq!((tracked.len(), tracked[0].dirty), (1, true));
    assert_eq!(keys.get_custom_value("k").await.unwrap(), Some(vec![1, 2]));
    assert_eq!(keys.get_custom_value("gone").await.unwrap(), None);
}

/// The backup's key is there, and of secrets of one name these.
async fn its_secrets_are(keys: &Keys, expect: &[&str]) {
    let backup = keys.load_backup_keys().await.unwrap();
    assert_eq!(backup.backup_version.as_deref(), Some("7"));
    assert!(backup.decryption_key.is_some());
    let secrets = keys.get_secrets_from_inbox(&SecretName::RecoveryKey).await;
    let secrets = secrets.unwrap();
    let mut secrets: Vec<&str> = secrets.iter().map(|secret| secret.as_str()).collect();
    secrets.sort_unstable();
    assert_eq!(secrets, expect);
}

#[tokio::test]
async fn what_was_backed_up_is_known_to_be() {
    let (_dir, path) = place();
    let keys = Keys::open(&path).await.unwrap();
    let account = Account::with_device_id(user_id!("@bot:a.b"), device_id!("BOT"));
    let room = room_id!("!room:a.b");
    let (_outbound, first) = account
        .create_group_session_pair(room, EncryptionSettings::default(), SenderData::unknown())
        .await
        .unwrap();
    let (_outbound, second) = account
        .create_group_session_pair(room, EncryptionSettings::default(), SenderData::unknown())
        .await
        .unwrap();
    let sessions = vec![first.clone(), second];
    keys.save_inbound_group_sessions(sessions, None)
        .await
        .unwrap();
    let ids = [(room, first.session_id())];
    keys.mark_inbound_group_sessions_as_backed_up("7", &ids)
        .await
        .unwrap();
    drop(keys);

    let keys = Keys::open(&path).await.unwrap();
    let counts = keys.inbound_group_session_counts(Some("7")).await.unwrap();
    assert_eq!((counts.total, counts.backed_up), (2, 1));
    assert_eq!(
        keys.inbound_group_sessions_for_backup("7", 10)
            .await
            .unwrap()
            .len(),
        1
    );
}

#[tokio::test]
async fn the_file_is_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let (_dir, path) = place();
    let _keys = Keys::open(&path).await.unwrap();
    let mode = |path: &Utf8Path| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&path), 0o600);
    assert_eq!(mode(path.parent().unwrap()), 0o700);
}

#[tokio::test]
async fn a_file_that_is_none_is_an_error() {
    let (_dir, path) = place();
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(
        &path,
        "not a database, but long enough to be taken for one".repeat(40),
    )
    .unwrap();
    let error = Keys::open(&path).await.unwrap_err();
    assert!(matches!(error, CryptoStoreError::Backend(_)), "{error}");
}
