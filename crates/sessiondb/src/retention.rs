//! What has outlived its time in a session's folder: the files of people and of the agent, rows of
//! `inbound.db`, and the folder itself.
//!
//! Who decides what that is knows more than this crate: see the host's chores. Every call can be
//! repeated, and who dies in one finds the rest the next time.

use std::fs::File;

use rustix::{fs::Dir, io::Errno};

use crate::{
    Error, HostSide, Seq,
    layout::{INBOX, OUTBOX, open_dir, open_subdir, sync_dir},
    remove::remove_tree,
};

/// The most entries of a folder that are looked at. A sandbox can make any number of them.
const ENTRIES_LIMIT: usize = 10_000;
/// The most steps of removing what belongs to one message. No message of the host's has so many
/// files; what a sandbox has put there besides takes several calls.
const STEPS_LIMIT: u32 = 1_000;

impl HostSide {
    /// The messages of people whose files are still here, oldest first, at most 10,000.
    pub fn inbox(&self) -> Result<Vec<Seq>, Error> {
        let path = self.layout.in_dir.join(INBOX);
        let dir = open_dir(&path)?;
        let found = numbered(&dir).map_err(|errno| Error::io(&path, "list")(errno.into()))?;
        Ok(found.into_iter().filter(|seq| seq.is_host()).collect())
    }

    /// Removes the files that came with these messages, which have to be over: an agent finds them
    /// gone. Durable when this returns.
    pub fn drop_inbox(&self, messages: &[Seq]) -> Result<(), Error> {
        let path = self.layout.in_dir.join(INBOX);
        let dir = open_dir(&path)?;
        for seq in messages {
            let mut left = STEPS_LIMIT;
            remove_tree(&dir, &path, &seq.to_string(), &mut left)?;
        }
        if messages.is_empty() {
            return Ok(());
        }
        sync_dir(&path)
    }

    /// Forgets these messages, which have to be over: their files, then their rows. The newest row
    /// stays whatever is asked, for new numbers follow it.
    ///
    /// One of them that the platform hands over again would be a new one here.
    pub fn forget(&self, messages: &[Seq]) -> Result<(), Error> {
        if messages.is_empty() {
            return Ok(());
        }
        self.drop_inbox(messages)?;
        self.write("forget old messages", |transaction| {
            for seq in messages {
                transaction.execute(
                    "DELETE FROM messages
                     WHERE seq = ?1 AND seq < (SELECT max(seq) FROM messages)",
                    [seq.get()],
                )?;
            }
            Ok(())
        })
    }

    /// The agent's rows whose files are still here, oldest first; at most 10,000 entries of the
    /// folder are looked at. What else the sandbox keeps there is its own.
    pub fn outbox(&self) -> Result<Vec<Seq>, Error> {
        let path = self.layout.out_dir.join(OUTBOX);
        let out = open_dir(&self.layout.out_dir)?;
        let dir = open_subdir(&out, &self.layout.out_dir, OUTBOX)?;
        let found = numbered(&dir).map_err(|errno| Error::io(&path, "list")(errno.into()))?;
        Ok(found.into_iter().filter(|seq| !seq.is_host()).collect())
    }

    /// Removes the files of these rows of the agent's, while no sandbox of the session runs. `false`
    /// if there was too much for one call.
    ///
    /// It needs no [`Exited`](anchorhold_core::sandbox::Exited): `outbound.db` is not touched, and
    /// where a sandbox does run, everything still happens below `out/outbox`, by handles and without
    /// following a link.
    pub fn drop_outbox(&self, rows: &[Seq]) -> Result<bool, Error> {
        let path = self.layout.out_dir.join(OUTBOX);
        let out = open_dir(&self.layout.out_dir)?;
        let dir = open_subdir(&out, &self.layout.out_dir, OUTBOX)?;
        let mut left = STEPS_LIMIT;
        for seq in rows {
            if !remove_tree(&dir, &path, &seq.to_string(), &mut left)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Removes the whole folder of a session that nobody comes back to, in at most `steps`. `true`
    /// once it is gone, durable then; `false` if there is more to remove.
    pub fn discard(&self, steps: u32) -> Result<bool, Error> {
        let (Some(parent), Some(name)) = (self.root.parent(), self.root.file_name()) else {
            return Err(Error::WrongSession {
                path: self.root.clone(),
            });
        };
        let mut left = steps;
        let gone = remove_tree(&open_dir(parent)?, parent, name, &mut left)?;
        if gone {
            sync_dir(parent)?;
        }
        Ok(gone)
    }
}

/// The entries of a folder that are named by a number, lowest first.
fn numbered(dir: &File) -> Result<Vec<Seq>, Errno> {
    let mut found = Vec::new();
    for entry in Dir::read_from(dir)?.take(ENTRIES_LIMIT) {
        let entry = entry?;
        let seq = entry
            .file_name()
            .to_str()
            .ok()
            .and_then(|name| Some((name, name.parse().ok().and_then(Seq::new)?)));
        // Written in any other way, it would be another entry.
        found.extend(
            seq.filter(|(name, seq)| seq.to_string() == *name)
                .map(|(_, seq)| seq),
        );
    }
    found.sort_unstable();
    Ok(found)
}
