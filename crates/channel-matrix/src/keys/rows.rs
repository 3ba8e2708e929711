//! What changes, as rows; and rows, as what they were.

use std::collections::HashMap;

use matrix_sdk::ruma::{OwnedRoomId, OwnedUserId, RoomId};
use matrix_sdk_crypto::{
    DeviceData, GossipRequest, UserIdentityData,
    olm::{
        Account, InboundGroupSession, OlmMessageHash, OutboundGroupSession, PickledAccount,
        PickledCrossSigningIdentity, PickledInboundGroupSession, PickledOutboundGroupSession,
        PickledSession, PrivateCrossSigningIdentity, Session,
    },
    store::{
        CryptoStore as _, CryptoStoreError, MemoryStore,
        types::{
            Changes, PendingChanges, RoomKeyWithheldEntry, RoomPendingKeyBundleDetails,
            RoomSettings, SecretsInboxItem, StoredRoomKeyBundleData,
        },
    },
};
use serde::{Serialize, de::DeserializeOwned};

use super::{
    file::{Row, Write},
    sure,
};

pub(super) const ACCOUNT: &str = "account";
pub(super) const CUSTOM: &str = "custom";
pub(super) const DEHYDRATED: &str = "dehydrated";
pub(super) const REQUEST: &str = "request";
pub(super) const SECRET: &str = "secret";
const BACKED_UP: &str = "backed-up";
const BACKUP_KEY: &str = "backup-key";
const BACKUP_VERSION: &str = "backup-version";
const BUNDLE: &str = "bundle";
const BUNDLE_AWAITED: &str = "bundle-awaited";
const DEVICE: &str = "device";
const DOWNLOADED: &str = "downloaded";
const HASH: &str = "hash";
const IDENTITY: &str = "identity";
const INBOUND: &str = "inbound";
const NEXT_BATCH: &str = "next-batch";
const OUTBOUND: &str = "outbound";
const SETTINGS: &str = "settings";
const SESSION: &str = "session";
const TRACKED: &str = "tracked";
const USER: &str = "user";
const WITHHELD: &str = "withheld";

/// The key of what there is one of.
const ONLY: &str = "";

type Rows = Result<Vec<Write>, CryptoStoreError>;

/// A row with a value.
pub(super) fn put(
    kind: &str,
    key: impl Into<String>,
    value: &impl Serialize,
) -> Result<Write, CryptoStoreError> {
    Ok(Write::Put(Row {
        kind: kind.to_owned(),
        key: key.into(),
        value: serde_json::to_vec(value)?,
    }))
}

/// The key of what two names stand for; neither has a space in it.
pub(super) fn both(a: impl AsRef<str>, b: impl AsRef<str>) -> String {
    format!("{} {}", a.as_ref(), b.as_ref())
}

pub(super) fn of_account(account: &Account) -> Rows {
    Ok(vec![put(ACCOUNT, ONLY, &account.pickle())?])
}

pub(super) fn of_tracked(users: &[(&matrix_sdk::ruma::UserId, bool)]) -> Rows {
    let row =
        |(user, dirty): &(&matrix_sdk::ruma::UserId, bool)| put(TRACKED, user.as_str(), dirty);
    users.iter().map(row).collect()
}

pub(super) async fn of_inbound(
    sessions: &[InboundGroupSession],
    backed_up_to: Option<&str>,
) -> Rows {
    let mut rows = Vec::new();
    for session in sessions {
        let key = both(session.room_id(), session.session_id());
        rows.push(put(INBOUND, key.clone(), &session.pickle().await)?);
        if let Some(version) = backed_up_to {
            rows.push(put(BACKED_UP, key, &version)?);
        }
    }
    Ok(rows)
}

/// Rows of everything that changes. `secrets` tells how many secrets of a name there are already.
pub(super) async fn of_changes(changes: &Changes, memory: &MemoryStore) -> Rows {
    let mut rows = of_inbound(&changes.inbound_group_sessions, None).await?;
    if let Some(identity) = &changes.private_identity {
        rows.push(put(IDENTITY, ONLY, &identity.pickle().await)?);
    }
    for session in &changes.sessions {
        let key = both(session.sender_key().to_base64(), session.session_id());
        rows.push(put(SESSION, key, &session.pickle().await)?);
    }
    for session in &changes.outbound_group_sessions {
        let key = session.room_id().as_str();
        rows.push(put(OUTBOUND, key, &session.pickle().await)?);
    }
    rows.extend(of_people(changes)?);
    rows.extend(of_rooms(changes)?);
    rows.extend(of_backup(changes)?);
    for hash in &changes.message_hashes {
        rows.push(put(HASH, both(&hash.sender_key, &hash.hash), hash)?);
    }
    for request in &changes.key_requests {
        rows.push(put(REQUEST, request.request_id.as_str(), request)?);
    }
    for (at, item) in changes.secrets.iter().enumerate() {
        let known = sure(memory.get_secrets_from_inbox(&item.secret_name).await).len();
        let key = both(item.secret_name.as_str(), (known + at).to_string());
        rows.push(put(SECRET, key, &item.secret.as_str())?);
    }
    if let Some(token) = &changes.next_batch_token {
        rows.push(put(NEXT_BATCH, ONLY, token)?);
    }
    Ok(rows)
}

fn of_people(changes: &Changes) -> Rows {
    let mut rows = Vec::new();
    let key = |device: &DeviceData| both(device.user_id(), device.device_id());
    for device in changes.devices.new.iter().chain(&changes.devices.changed) {
        rows.push(put(DEVICE, key(device), device)?);
    }
    for device in &changes.devices.deleted {
        let key = key(device);
        rows.push(Write::Remove { kind: DEVICE, key });
    }
    for user in changes
        .identities
        .new
        .iter()
        .chain(&changes.identities.changed)
    {
        rows.push(put(USER, user.user_id().as_str(), user)?);
    }
    Ok(rows)
}

fn of_rooms(changes: &Changes) -> Rows {
    let mut rows = Vec::new();
    for (room, sessions) in &changes.withheld_session_info {
        for (session, entry) in sessions {
            rows.push(put(WITHHELD, both(room, session), entry)?);
        }
    }
    for (room, settings) in &changes.room_settings {
        rows.push(put(SETTINGS, room.as_str(), settings)?);
    }
    for bundle in &changes.received_room_key_bundles {
        let key = both(&bundle.bundle_data.room_id, &bundle.sender_user);
        rows.push(put(BUNDLE, key, bundle)?);
    }
    for room in &changes.room_key_backups_fully_downloaded {
        rows.push(put(DOWNLOADED, room.as_str(), &true)?);
    }
    for (room, details) in &changes.rooms_pending_key_bundle {
        rows.push(match details {
            Some(details) => put(BUNDLE_AWAITED, room.as_str(), details)?,
            None => Write::Remove {
                kind: BUNDLE_AWAITED,
                key: room.to_string(),
            },
        });
    }
    Ok(rows)
}

fn of_backup(changes: &Changes) -> Rows {
    let mut rows = Vec::new();
    if let Some(version) = &changes.backup_version {
        rows.push(put(BACKUP_VERSION, ONLY, version)?);
    }
    if let Some(key) = &changes.backup_decryption_key {
        rows.push(put(BACKUP_KEY, ONLY, key)?);
    }
    if let Some(key) = &changes.dehydrated_device_pickle_key {
        rows.push(put(DEHYDRATED, ONLY, key)?);
    }
    Ok(rows)
}

/// All rows, by their kinds.
struct Kinds(HashMap<String, Vec<(String, Vec<u8>)>>);

impl Kinds {
    fn take<T: DeserializeOwned>(
        &mut self,
        kind: &str,
    ) -> Result<Vec<(String, T)>, CryptoStoreError> {
        let rows = self.0.remove(kind).unwrap_or_default();
        let read = |(key, value): (String, Vec<u8>)| Ok((key, serde_json::from_slice(&value)?));
        rows.into_iter().map(read).collect()
    }

    fn values<T: DeserializeOwned>(&mut self, kind: &str) -> Result<Vec<T>, CryptoStoreError> {
        let rows = self.take(kind)?;
        Ok(rows.into_iter().map(|(_key, value)| value).collect())
    }

    fn only<T: DeserializeOwned>(&mut self, kind: &str) -> Result<Option<T>, CryptoStoreError> {
        Ok(self.values(kind)?.pop())
    }
}

/// Puts rows into an empty memory.
pub(super) async fn load(rows: Vec<Row>, memory: &MemoryStore) -> Result<(), CryptoStoreError> {
    let mut kinds = Kinds(HashMap::new());
    for Row { kind, key, value } in rows {
        kinds.0.entry(kind).or_default().push((key, value));
    }
    let account: Option<PickledAccount> = kinds.only(ACCOUNT)?;
    let account = account.map(Account::from_pickle).transpose()?;
    let outbound = match &account {
        Some(account) => load_outbound(&mut kinds, account)?,
        None => Vec::new(),
    };
    let has_account = account.is_some();
    if has_account {
        sure(
            memory
                .save_pending_changes(PendingChanges { account })
                .await,
        );
    }
    let mut changes = load_rooms(&mut kinds)?;
    changes.outbound_group_sessions = outbound;
    changes.devices.new = kinds.values::<DeviceData>(DEVICE)?;
    changes.identities.new = kinds.values::<UserIdentityData>(USER)?;
    changes.message_hashes = kinds.values::<OlmMessageHash>(HASH)?;
    changes.key_requests = kinds.values::<GossipRequest>(REQUEST)?;
    changes.secrets = load_secrets(&mut kinds)?;
    changes.next_batch_token = kinds.only(NEXT_BATCH)?;
    changes.backup_version = kinds.only(BACKUP_VERSION)?;
    changes.backup_decryption_key = kinds.only(BACKUP_KEY)?;
    changes.dehydrated_device_pickle_key = kinds.only(DEHYDRATED)?;
    let identity: Option<PickledCrossSigningIdentity> = kinds.only(IDENTITY)?;
    let identity = identity.map(PrivateCrossSigningIdentity::from_pickle);
    let unreadable = |_error| CryptoStoreError::UnpicklingError;
    changes.private_identity = identity.transpose().map_err(unreadable)?;
    let identity = changes.private_identity.clone();
    sure(memory.save_changes(changes).await);
    if has_account {
        let mut sessions = load_sessions(&mut kinds, memory).await?;
        sessions.private_identity = identity;
        sure(memory.save_changes(sessions).await);
    }
    load_inbound(&mut kinds, memory).await?;
    for (user, dirty) in kinds.take::<bool>(TRACKED)? {
        let user = OwnedUserId::try_from(user)?;
        sure(memory.save_tracked_users(&[(user.as_ref(), dirty)]).await);
    }
    for (key, value) in kinds.take::<Vec<u8>>(CUSTOM)? {
        sure(memory.set_custom_value(&key, value).await);
    }
    Ok(())
}

fn load_outbound(
    kinds: &mut Kinds,
    account: &Account,
) -> Result<Vec<OutboundGroupSession>, CryptoStoreError> {
    let keys = std::sync::Arc::new(account.identity_keys());
    let pickles: Vec<PickledOutboundGroupSession> = kinds.values(OUTBOUND)?;
    let read = |pickle| {
        let device = account.device_id().to_owned();
        Ok(OutboundGroupSession::from_pickle(
            device,
            std::sync::Arc::clone(&keys),
            pickle,
        )?)
    };
    pickles.into_iter().map(read).collect()
}

/// Sessions with other devices, which need our own to be known.
async fn load_sessions(
    kinds: &mut Kinds,
    memory: &MemoryStore,
) -> Result<Changes, CryptoStoreError> {
    let pickles: Vec<PickledSession> = kinds.values(SESSION)?;
    let mut changes = Changes::default();
    if pickles.is_empty() {
        return Ok(changes);
    }
    let ours = sure(memory.get_own_device().await).as_device_keys().clone();
    for pickle in pickles {
        let session = Session::from_pickle(ours.clone(), pickle);
        let session = session.map_err(|_unreadable| CryptoStoreError::UnpicklingError)?;
        changes.sessions.push(session);
    }
    Ok(changes)
}

async fn load_inbound(kinds: &mut Kinds, memory: &MemoryStore) -> Result<(), CryptoStoreError> {
    let mut versions: HashMap<String, String> = kinds.take(BACKED_UP)?.into_iter().collect();
    let mut others = Vec::new();
    for (key, pickle) in kinds.take::<PickledInboundGroupSession>(INBOUND)? {
        let session = InboundGroupSession::from_pickle(pickle)?;
        match versions.remove(&key) {
            Some(version) => {
                let saved = memory.save_inbound_group_sessions(vec![session], Some(&version));
                sure(saved.await);
            }
            None => others.push(session),
        }
    }
    sure(memory.save_inbound_group_sessions(others, None).await);
    Ok(())
}

fn load_rooms(kinds: &mut Kinds) -> Result<Changes, CryptoStoreError> {
    let mut changes = Changes::default();
    for (key, entry) in kinds.take::<RoomKeyWithheldEntry>(WITHHELD)? {
        if let Some((room, session)) = key.split_once(' ') {
            let room: OwnedRoomId = RoomId::parse(room)?;
            let sessions = changes.withheld_session_info.entry(room).or_default();
            sessions.insert(session.to_owned(), entry);
        }
    }
    for (room, settings) in kinds.take::<RoomSettings>(SETTINGS)? {
        changes.room_settings.insert(RoomId::parse(room)?, settings);
    }
    changes.received_room_key_bundles = kinds.values::<StoredRoomKeyBundleData>(BUNDLE)?;
    for (room, _yes) in kinds.take::<bool>(DOWNLOADED)? {
        let rooms = &mut changes.room_key_backups_fully_downloaded;
        rooms.insert(RoomId::parse(room)?);
    }
    for (room, details) in kinds.take::<RoomPendingKeyBundleDetails>(BUNDLE_AWAITED)? {
        let rooms = &mut changes.rooms_pending_key_bundle;
        rooms.insert(RoomId::parse(room)?, Some(details));
    }
    Ok(changes)
}

fn load_secrets(kinds: &mut Kinds) -> Result<Vec<SecretsInboxItem>, CryptoStoreError> {
    let rows = kinds.take::<String>(SECRET)?;
    let read = |(key, secret): (String, String)| {
        let (name, _number) = key.split_once(' ')?;
        let (secret_name, secret) = (name.into(), secret.into());
        Some(SecretsInboxItem {
            secret_name,
            secret,
        })
    };
    Ok(rows.into_iter().filter_map(read).collect())
}
