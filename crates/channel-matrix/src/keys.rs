//! Where end-to-end encryption keeps its keys.
//!
//! The SDK's own file store would bring an older SQLite into every build (ADR 35), so this one puts the
//! SDK's store in memory before a file of ours: what is read comes from memory, what is written lasts
//! in the file before memory has it.

use std::{collections::HashMap, convert::Infallible};

use async_trait::async_trait;
use camino::Utf8Path;
use matrix_sdk::ruma::{
    DeviceId, OwnedDeviceId, RoomId, TransactionId, UserId, events::secret::request::SecretName,
};
use matrix_sdk_common::cross_process_lock::CrossProcessLockGeneration;
use matrix_sdk_crypto::{
    DeviceData, GossipRequest, SecretInfo, UserIdentityData,
    olm::{
        Account, Curve25519PublicKey, InboundGroupSession, OlmMessageHash, OutboundGroupSession,
        PrivateCrossSigningIdentity, SenderDataType, Session,
    },
    store::{
        CryptoStore, CryptoStoreError, MemoryStore,
        types::{
            BackupKeys, Changes, DehydratedDeviceKey, PendingChanges, RoomKeyCounts,
            RoomKeyWithheldEntry, RoomPendingKeyBundleDetails, RoomSettings,
            StoredRoomKeyBundleData, TrackedUser,
        },
    },
};
use tokio::sync::Mutex;
use zeroize::Zeroizing;

mod file;
mod rows;

pub(crate) use file::FileError;
use file::{File, Write};

/// The keys of one device.
#[derive(Debug)]
pub(crate) struct Keys {
    file: File,
    memory: MemoryStore,
    /// One change at a time, in the same order in both.
    changing: Mutex<()>,
}

impl Keys {
    /// Opens the file at `path`, or makes it.
    pub(crate) async fn open(path: &Utf8Path) -> Result<Self, CryptoStoreError> {
        let file = File::open(path).await.map_err(failed)?;
        let memory = MemoryStore::new();
        rows::load(file.all().await.map_err(failed)?, &memory).await?;
        Ok(Self {
            file,
            memory,
            changing: Mutex::default(),
        })
    }

    async fn write(&self, writes: Vec<Write>) -> Result<(), CryptoStoreError> {
        self.file.write(writes).await.map_err(failed)
    }
}

fn failed(error: FileError) -> CryptoStoreError {
    CryptoStoreError::Backend(Box::new(error))
}

/// What can't fail.
fn sure<T>(done: Result<T, Infallible>) -> T {
    match done {
        Ok(done) => done,
        Err(never) => match never {},
    }
}

type Done<T> = Result<T, CryptoStoreError>;

#[async_trait]
impl CryptoStore for Keys {
    type Error = CryptoStoreError;

    async fn load_account(&self) -> Done<Option<Account>> {
        Ok(sure(self.memory.load_account().await))
    }

    async fn load_identity(&self) -> Done<Option<PrivateCrossSigningIdentity>> {
        Ok(sure(self.memory.load_identity().await))
    }

    async fn save_changes(&self, mut changes: Changes) -> Done<()> {
        let _one = self.changing.lock().await;
        self.write(rows::of_changes(&changes, &self.memory).await?)
            .await?;
        if changes.private_identity.is_none() {
            // The memory takes a change without one for there being none.
            changes.private_identity = sure(self.memory.load_identity().await);
        }
        sure(self.memory.save_changes(changes).await);
        Ok(())
    }

    async fn save_pending_changes(&self, changes: PendingChanges) -> Done<()> {
        let _one = self.changing.lock().await;
        if let Some(account) = &changes.account {
            self.write(rows::of_account(account)?).await?;
            sure(self.memory.save_pending_changes(changes).await);
        }
        Ok(())
    }

    async fn save_inbound_group_sessions(
        &self,
        sessions: Vec<InboundGroupSession>,
        backed_up_to_version: Option<&str>,
    ) -> Done<()> {
        let _one = self.changing.lock().await;
        self.write(rows::of_inbound(&sessions, backed_up_to_version).await?)
            .await?;
        let saved = self
            .memory
            .save_inbound_group_sessions(sessions, backed_up_to_version);
        sure(saved.await);
        Ok(())
    }

    async fn get_sessions(&self, sender_key: &str) -> Done<Option<Vec<Session>>> {
        Ok(sure(self.memory.get_sessions(sender_key).await))
    }

    async fn get_inbound_group_session(
        &self,
        room_id: &RoomId,
        session_id: &str,
    ) -> Done<Option<InboundGroupSession>> {
        let found = self.memory.get_inbound_group_session(room_id, session_id);
        Ok(sure(found.await))
    }

    async fn get_withheld_info(
        &self,
        room_id: &RoomId,
        session_id: &str,
    ) -> Done<Option<RoomKeyWithheldEntry>> {
        Ok(sure(
            self.memory.get_withheld_info(room_id, session_id).await,
        ))
    }

    async fn get_withheld_sessions_by_room_id(
        &self,
        room_id: &RoomId,
    ) -> Done<Vec<RoomKeyWithheldEntry>> {
        let found = self.memory.get_withheld_sessions_by_room_id(room_id);
        Ok(sure(found.await))
    }

    async fn get_inbound_group_sessions(&self) -> Done<Vec<InboundGroupSession>> {
        Ok(sure(self.memory.get_inbound_group_sessions().await))
    }

    async fn inbound_group_session_counts(
        &self,
        backup_version: Option<&str>,
    ) -> Done<RoomKeyCounts> {
        let counts = self.memory.inbound_group_session_counts(backup_version);
        Ok(sure(counts.await))
    }

    async fn get_inbound_group_sessions_by_room_id(
        &self,
        room_id: &RoomId,
    ) -> Done<Vec<InboundGroupSession>> {
        let found = self.memory.get_inbound_group_sessions_by_room_id(room_id);
        Ok(sure(found.await))
    }

    async fn get_inbound_group_sessions_for_device_batch(
        &self,
        curve_key: Curve25519PublicKey,
        sender_data_type: SenderDataType,
        after_session_id: Option<String>,
        limit: usize,
    ) -> Done<Vec<InboundGroupSession>> {
        let found = self.memory.get_inbound_group_sessions_for_device_batch(
            curve_key,
            sender_data_type,
            after_session_id,
            limit,
        );
        Ok(sure(found.await))
    }

    async fn inbound_group_sessions_for_backup(
        &self,
        backup_version: &str,
        limit: usize,
    ) -> Done<Vec<InboundGroupSession>> {
        let found = self
            .memory
            .inbound_group_sessions_for_backup(backup_version, limit);
        Ok(sure(found.await))
    }

    async fn mark_inbound_group_sessions_as_backed_up(
        &self,
        backup_version: &str,
        room_and_session_ids: &[(&RoomId, &str)],
    ) -> Done<()> {
        let _one = self.changing.lock().await;
        let mut sessions = Vec::new();
        for (room, session) in room_and_session_ids {
            let found = self.memory.get_inbound_group_session(room, session);
            sessions.extend(sure(found.await));
        }
        for session in &sessions {
            session.mark_as_backed_up();
        }
        self.write(rows::of_inbound(&sessions, Some(backup_version)).await?)
            .await?;
        let marked = self
            .memory
            .mark_inbound_group_sessions_as_backed_up(backup_version, room_and_session_ids);
        sure(marked.await);
        Ok(())
    }

    async fn reset_backup_state(&self) -> Done<()> {
        sure(self.memory.reset_backup_state().await);
        Ok(())
    }

    async fn load_backup_keys(&self) -> Done<BackupKeys> {
        Ok(sure(self.memory.load_backup_keys().await))
    }

    async fn load_dehydrated_device_pickle_key(&self) -> Done<Option<DehydratedDeviceKey>> {
        Ok(sure(self.memory.load_dehydrated_device_pickle_key().await))
    }

    async fn delete_dehydrated_device_pickle_key(&self) -> Done<()> {
        let _one = self.changing.lock().await;
        let (kind, begin) = (rows::DEHYDRATED, String::new());
        self.write(vec![Write::Clear { kind, begin }]).await?;
        sure(self.memory.delete_dehydrated_device_pickle_key().await);
        Ok(())
    }

    async fn get_outbound_group_session(
        &self,
        room_id: &RoomId,
    ) -> Done<Option<OutboundGroupSession>> {
        Ok(sure(self.memory.get_outbound_group_session(room_id).await))
    }

    async fn load_tracked_users(&self) -> Done<Vec<TrackedUser>> {
        Ok(sure(self.memory.load_tracked_users().await))
    }

    async fn save_tracked_users(&self, users: &[(&UserId, bool)]) -> Done<()> {
        let _one = self.changing.lock().await;
        self.write(rows::of_tracked(users)?).await?;
        sure(self.memory.save_tracked_users(users).await);
        Ok(())
    }

    async fn get_device(&self, user_id: &UserId, device_id: &DeviceId) -> Done<Option<DeviceData>> {
        Ok(sure(self.memory.get_device(user_id, device_id).await))
    }

    async fn get_user_devices(&self, user_id: &UserId) -> Done<HashMap<OwnedDeviceId, DeviceData>> {
        Ok(sure(self.memory.get_user_devices(user_id).await))
    }

    async fn get_own_device(&self) -> Done<DeviceData> {
        Ok(sure(self.memory.get_own_device().await))
    }

    async fn get_user_identity(&self, user_id: &UserId) -> Done<Option<UserIdentityData>> {
        Ok(sure(self.memory.get_user_identity(user_id).await))
    }

    async fn is_message_known(&self, message_hash: &OlmMessageHash) -> Done<bool> {
        Ok(sure(self.memory.is_message_known(message_hash).await))
    }

    async fn get_outgoing_secret_requests(
        &self,
        request_id: &TransactionId,
    ) -> Done<Option<GossipRequest>> {
        let found = self.memory.get_outgoing_secret_requests(request_id);
        Ok(sure(found.await))
    }

    async fn get_secret_request_by_info(
        &self,
        secret_info: &SecretInfo,
    ) -> Done<Option<GossipRequest>> {
        let found = self.memory.get_secret_request_by_info(secret_info);
        Ok(sure(found.await))
    }

    async fn get_unsent_secret_requests(&self) -> Done<Vec<GossipRequest>> {
        Ok(sure(self.memory.get_unsent_secret_requests().await))
    }

    async fn delete_outgoing_secret_requests(&self, request_id: &TransactionId) -> Done<()> {
        let _one = self.changing.lock().await;
        let (kind, key) = (rows::REQUEST, request_id.to_string());
        self.write(vec![Write::Remove { kind, key }]).await?;
        sure(
            self.memory
                .delete_outgoing_secret_requests(request_id)
                .await,
        );
        Ok(())
    }

    async fn get_secrets_from_inbox(
        &self,
        secret_name: &SecretName,
    ) -> Done<Vec<Zeroizing<String>>> {
        Ok(sure(self.memory.get_secrets_from_inbox(secret_name).await))
    }

    async fn delete_secrets_from_inbox(&self, secret_name: &SecretName) -> Done<()> {
        let _one = self.changing.lock().await;
        let (kind, begin) = (rows::SECRET, format!("{} ", secret_name.as_str()));
        self.write(vec![Write::Clear { kind, begin }]).await?;
        sure(self.memory.delete_secrets_from_inbox(secret_name).await);
        Ok(())
    }

    async fn get_room_settings(&self, room_id: &RoomId) -> Done<Option<RoomSettings>> {
        Ok(sure(self.memory.get_room_settings(room_id).await))
    }

    async fn get_received_room_key_bundle_data(
        &self,
        room_id: &RoomId,
        user_id: &UserId,
    ) -> Done<Option<StoredRoomKeyBundleData>> {
        let found = self
            .memory
            .get_received_room_key_bundle_data(room_id, user_id);
        Ok(sure(found.await))
    }

    async fn get_pending_key_bundle_details_for_room(
        &self,
        room_id: &RoomId,
    ) -> Done<Option<RoomPendingKeyBundleDetails>> {
        let found = self.memory.get_pending_key_bundle_details_for_room(room_id);
        Ok(sure(found.await))
    }

    async fn get_all_rooms_pending_key_bundles(&self) -> Done<Vec<RoomPendingKeyBundleDetails>> {
        Ok(sure(self.memory.get_all_rooms_pending_key_bundles().await))
    }

    async fn has_downloaded_all_room_keys(&self, room_id: &RoomId) -> Done<bool> {
        Ok(sure(
            self.memory.has_downloaded_all_room_keys(room_id).await,
        ))
    }

    async fn get_custom_value(&self, key: &str) -> Done<Option<Vec<u8>>> {
        Ok(sure(self.memory.get_custom_value(key).await))
    }

    async fn set_custom_value(&self, key: &str, value: Vec<u8>) -> Done<()> {
        let _one = self.changing.lock().await;
        self.write(vec![rows::put(rows::CUSTOM, key, &value)?])
            .await?;
        sure(self.memory.set_custom_value(key, value).await);
        Ok(())
    }

    async fn remove_custom_value(&self, key: &str) -> Done<()> {
        let _one = self.changing.lock().await;
        let (kind, key_owned) = (rows::CUSTOM, key.to_owned());
        self.write(vec![Write::Remove {
            kind,
            key: key_owned,
        }])
        .await?;
        sure(self.memory.remove_custom_value(key).await);
        Ok(())
    }

    /// One process has the file, so its leases are its own affair.
    async fn try_take_leased_lock(
        &self,
        lease_duration_ms: u32,
        key: &str,
        holder: &str,
    ) -> Done<Option<CrossProcessLockGeneration>> {
        let taken = self
            .memory
            .try_take_leased_lock(lease_duration_ms, key, holder);
        Ok(sure(taken.await))
    }

    async fn next_batch_token(&self) -> Done<Option<String>> {
        Ok(sure(self.memory.next_batch_token().await))
    }

    async fn close(&self) -> Done<()> {
        Ok(())
    }

    async fn reopen(&self) -> Done<()> {
        Ok(())
    }

    async fn get_size(&self) -> Done<Option<usize>> {
        Ok(None)
    }
}

#[cfg(test)]
mod tests;
