use std::{
    fs,
    io::Write,
    os::unix::fs::{PermissionsExt, symlink},
};

use anchorhold_core::ids::{InstallId, SessionId};
use anchorhold_sessiondb::HostSide;
use anchorhold_store::Store;
use camino::{Utf8Path, Utf8PathBuf};
use jiff::Timestamp;
use tar::{Builder, EntryType, Header};
use tempfile::TempDir;

use crate::{
    backup::{
        BackupError, Made,
        check::{Restored, restore},
        make,
        manifest::{ABOUT, About, Kind, LEFT_OUT, MANIFEST, hash, line},
    },
    dirs::Dirs,
};

fn now() -> Timestamp {
    Timestamp::from_second(1_800_000_000).unwrap()
}

fn id(bytes: u8) -> InstallId {
    InstallId::mint(now(), [bytes; 10])
}

/// An installation without a host.
struct Place {
    dir: TempDir,
}

impl Place {
    async fn new() -> Self {
        let dir = TempDir::new().unwrap();
        let place = Self { dir };
        let store = Store::open(place.dirs().database().as_std_path())
            .await
            .unwrap();
        store.install_id(id(1), now()).await.unwrap();
        store.close().await;
        place
    }

    fn path(&self, name: &str) -> Utf8PathBuf {
        let root = self.dir.path().canonicalize().unwrap();
        Utf8PathBuf::from_path_buf(root.join(name)).unwrap()
    }

    fn dirs(&self) -> Dirs {
        Dirs::open(&self.path("data")).unwrap()
    }

    /// A workspace with all that a sandbox can leave in one.
    fn workspace(&self) -> Utf8PathBuf {
        let root = self.path("data/groups/helper");
        fs::create_dir_all(root.join("notes/deep")).unwrap();
        fs::write(root.join("notes/deep/a"), "content of a").unwrap();
        fs::write(root.join("notes/run"), "#!/bin/sh\n").unwrap();
        fs::set_permissions(root.join("notes/run"), fs::Permissions::from_mode(0o755)).unwrap();
        symlink("/etc/hostname", root.join("link")).unwrap();
        symlink("notes", root.join("inside")).unwrap();
        rustix::fs::mknodat(
            rustix::fs::CWD,
            root.join("pipe").as_str(),
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::from_raw_mode(0o600),
            0,
        )
        .unwrap();
        let holes = fs::File::create(root.join("holes")).unwrap();
        holes.set_len(1 << 30).unwrap();
        root
    }

    async fn back_up(&self) -> Made {
        let to = self.path("copy.tar");
        make(&self.dirs(), &to, true, now()).await.unwrap()
    }

    async fn restore(&self, to: &str) -> Result<Restored, BackupError> {
        let (archive, to) = (self.path("copy.tar"), self.path(to));
        Box::pin(restore(&archive, &to, id(2))).await
    }

    /// Changes the archive's bytes.
    fn change(&self, change: impl FnOnce(&mut Vec<u8>)) {
        let path = self.path("copy.tar");
        let mut bytes = fs::read(&path).unwrap();
        change(&mut bytes);
        fs::write(&path, bytes).unwrap();
    }

    async fn refusal(&self) -> String {
        let refused = self.restore("new").await.unwrap_err();
        assert!(!self.path("new").exists(), "{refused}");
        fs::remove_dir_all(self.path("new.restoring")).unwrap();
        refused.to_string()
    }
}

fn mode(path: &Utf8Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[tokio::test]
async fn what_is_backed_up_comes_back_and_nothing_is_followed() {
    let place = Place::new().await;
    place.workspace();
    fs::write(place.path("data/runtime"), "docker").unwrap();
    let made = place.back_up().await;
    assert_eq!(
        made.left_out
            .iter()
            .map(String::as_str)
            .collect::<std::collections::BTreeSet<_>>(),
        [
            "groups/helper/holes: it is mostly holes",
            "groups/helper/pipe: it is no file, folder or link",
        ]
        .into()
    );
    assert_eq!(mode(&made.path), 0o600);
    let leftover: Vec<_> = fs::read_dir(place.dir.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.contains("partial"))
        .collect();
    assert_eq!(leftover, Vec::<String>::new());

    let restored = place.restore("new").await.unwrap();
    assert_eq!((restored.sessions, restored.notes.len()), (0, 0));
    assert_eq!(restored.schema, Store::newest_schema());
    let root = place.path("new/groups/helper");
    assert_eq!(
        fs::read_to_string(root.join("notes/deep/a")).unwrap(),
        "content of a"
    );
    assert_eq!(mode(&root.join("notes/run")), 0o755);
    assert_eq!(
        fs::read_link(root.join("link")).unwrap().to_str(),
        Some("/etc/hostname")
    );
    assert_eq!(
        fs::read_to_string(place.path("new/runtime")).unwrap(),
        "docker"
    );
    assert_eq!(mode(&place.path("new/anchorhold.db")), 0o600);
    // It is another installation: what runs for the first is none of its business.
    let store = Store::open(place.path("new/anchorhold.db").as_std_path())
        .await
        .unwrap();
    assert_eq!(store.install_id(id(3), now()).await.unwrap(), id(2));
    store.close().await;
}

#[tokio::test]
async fn nothing_is_overwritten() {
    let place = Place::new().await;
    place.back_up().await;
    let again = make(&place.dirs(), &place.path("copy.tar"), true, now()).await;
    assert!(
        matches!(again, Err(BackupError::Exists { .. })),
        "{again:?}"
    );
    let restored = place.restore("data").await;
    assert!(
        matches!(restored, Err(BackupError::Exists { .. })),
        "{restored:?}"
    );
    // An empty folder is nothing.
    fs::create_dir(place.path("new")).unwrap();
    place.restore("new").await.unwrap();
}

#[tokio::test]
async fn without_workspaces_there_are_none() {
    let place = Place::new().await;
    place.workspace();
    let to = place.path("copy.tar");
    let made = make(&place.dirs(), &to, false, now()).await.unwrap();
    assert_eq!(made.left_out, Vec::<String>::new());
    place.restore("new").await.unwrap();
    assert!(!place.path("new/groups/helper").exists());
}

#[tokio::test]
async fn a_damaged_archive_is_refused_and_the_place_named() {
    let place = Place::new().await;
    place.workspace();
    place.back_up().await;
    let good = fs::read(place.path("copy.tar")).unwrap();
    let at = |text: &str| {
        let mut windows = good.windows(text.len());
        windows
            .position(|window| window == text.as_bytes())
            .unwrap()
    };
    let content = at("content of a");
    place.change(|bytes| bytes[content] = b'C');
    assert_eq!(
        place.refusal().await,
        "the archive is damaged at groups/helper/notes/deep/a: its content is not what was written"
    );
    let middle = content + 20;
    place.change(|bytes| *bytes = good[..middle].to_vec());
    let refusal = place.refusal().await;
    assert!(
        refusal.starts_with("the archive is damaged at what follows groups/helper/notes/deep/a: "),
        "{refusal}"
    );
    let last = good
        .windows(8)
        .rposition(|window| window == b"MANIFEST")
        .unwrap();
    place.change(|bytes| *bytes = good[..last].to_vec());
    let refusal = place.refusal().await;
    assert!(refusal.contains("what follows LEFT_OUT"), "{refusal}");
    place.change(|bytes| *bytes = b"not an archive".repeat(100));
    assert!(
        place
            .refusal()
            .await
            .starts_with("the archive is damaged at ")
    );
}

/// An archive that no program of ours made, with a manifest that agrees with it.
fn forge(path: &Utf8Path, entries: &[(EntryType, &str, &str)]) {
    let mut tar = Builder::new(fs::File::create(path).unwrap());
    let mut lines = String::new();
    let about = serde_json::to_vec(&About::new(now(), 1)).unwrap();
    let mut add = |kind: EntryType, name: &str, content: &[u8], note: bool| {
        let mut header = Header::new_gnu();
        let raw = header.as_gnu_mut().unwrap();
        raw.name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_entry_type(kind);
        header.set_mode(0o644);
        header.set_uid(0);
        header.set_gid(0);
        let (len, told) = if kind.is_symlink() {
            let link = &mut header.as_gnu_mut().unwrap().linkname;
            link[..content.len()].copy_from_slice(content);
            (0, Kind::Link)
        } else {
            (content.len(), Kind::File)
        };
        let size = u64::try_from(len).unwrap();
        header.set_size(size);
        header.set_cksum();
        tar.append(&header, &content[..len]).unwrap();
        if note {
            lines += line(told, size, &hash(content), name.as_ref()).as_str();
            lines += "\n";
        }
    };
    add(EntryType::Regular, ABOUT, &about, true);
    for (kind, name, content) in entries {
        add(*kind, name, content.as_bytes(), true);
    }
    add(EntryType::Regular, LEFT_OUT, b"", true);
    let manifest = lines.clone();
    let mut header = Header::new_gnu();
    header.set_path(MANIFEST).unwrap();
    header.set_size(u64::try_from(manifest.len()).unwrap());
    header.set_mode(0o600);
    header.set_cksum();
    tar.append(&header, manifest.as_bytes()).unwrap();
    tar.into_inner().unwrap().flush().unwrap();
}

#[tokio::test]
async fn a_forged_archive_reaches_nothing_outside() {
    let place = Place::new().await;
    let outside = place.path("outside");
    fs::create_dir(&outside).unwrap();
    let file = EntryType::Regular;
    for (entries, why) in [
        (
            vec![(file, "../outside/a", "x")],
            "its path leads elsewhere",
        ),
        (
            vec![(file, "groups/../../outside/a", "x")],
            "its path leads elsewhere",
        ),
        (
            vec![(file, "/tmp/anchorhold-forged", "x")],
            "its path leads elsewhere",
        ),
        (vec![(file, "control.sock", "x")], "no backup has this"),
        (
            vec![
                (EntryType::Symlink, "groups/out", outside.as_str()),
                (file, "groups/out/a", "x"),
            ],
            "can't make",
        ),
        (
            vec![
                (EntryType::Symlink, "groups/a", outside.as_str()),
                (file, "groups/a", "x"),
            ],
            "can't write",
        ),
        (
            vec![(EntryType::Link, "groups/a", "x")],
            "it is no file, folder or link",
        ),
        (
            vec![(EntryType::Char, "groups/a", "")],
            "it is no file, folder or link",
        ),
    ] {
        forge(&place.path("copy.tar"), &entries);
        let refusal = place.refusal().await;
        assert!(refusal.contains(why), "{entries:?}: {refusal}");
        assert_eq!(fs::read_dir(&outside).unwrap().count(), 0, "{entries:?}");
    }
}

#[tokio::test]
async fn a_sessions_folder_that_is_a_link_is_not_followed() {
    let place = Place::new().await;
    let root = place.workspace();
    let elsewhere = place.path("elsewhere");
    fs::rename(&root, &elsewhere).unwrap();
    symlink(&elsewhere, &root).unwrap();
    place.back_up().await;
    place.restore("new").await.unwrap();
    let restored = place.path("new/groups/helper");
    assert!(fs::symlink_metadata(&restored).unwrap().is_symlink());
    // The same where a backup looks for a session's files.
    let session = SessionId::mint(now(), [9; 10]);
    let files = HostSide::create(&place.dirs().session(session), None).unwrap();
    fs::remove_dir_all(files.out_dir()).unwrap();
    symlink(&elsewhere, files.out_dir()).unwrap();
    let refused = files.locked(anchorhold_sessiondb::backup::Half::Out, &mut |_, _, _| {
        panic!("something was handed over")
    });
    assert!(refused.unwrap_err().to_string().contains("no folder"));
}
