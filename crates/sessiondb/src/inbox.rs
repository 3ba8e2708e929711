//! Files of people, on their way in: `in/inbox/<seq>/`.

use std::{fs, io::Write, os::unix::fs::PermissionsExt};

use anchorhold_core::inbound::Attachment;

use crate::{
    Error, InboxFile, Seq,
    layout::{INBOX, Layout, sync_dir},
};

/// Writes the files of message `seq` and makes them durable. The folder is the host's own, so a
/// file that is there already can only be of a try that did not reach its commit: it is replaced.
pub(crate) fn store_files(
    layout: &Layout,
    seq: Seq,
    attachments: &[Attachment],
) -> Result<Vec<InboxFile>, Error> {
    if attachments.is_empty() {
        return Ok(Vec::new());
    }
    let relative = format!("{INBOX}/{seq}");
    let dir = layout.in_dir.join(&relative);
    fs::create_dir_all(&dir).map_err(Error::io(&dir, "make"))?;
    fs::set_permissions(&dir, fs::Permissions::from_mode(0o755))
        .map_err(Error::io(&dir, "set the mode of"))?;
    let mut files = Vec::with_capacity(attachments.len());
    for (number, attachment) in attachments.iter().enumerate() {
        let name = format!("{}-{}", number + 1, safe_name(&attachment.name));
        let path = dir.join(&name);
        let mut file = fs::File::create(&path).map_err(Error::io(&path, "make"))?;
        file.write_all(&attachment.content)
            .and_then(|()| file.set_permissions(fs::Permissions::from_mode(0o644)))
            .and_then(|()| file.sync_all())
            .map_err(Error::io(&path, "write"))?;
        files.push(InboxFile {
            name: attachment.name.clone(),
            path: format!("{relative}/{name}"),
            media_type: attachment.media_type.clone(),
            len: u64::try_from(attachment.content.len()).unwrap_or(u64::MAX),
        });
    }
    sync_dir(&dir)?;
    sync_dir(&layout.in_dir.join(INBOX))?;
    Ok(files)
}

/// One plain path segment that still resembles the name the sender gave.
fn safe_name(name: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    let safe: String = name
        .chars()
        .take(100)
        .map(|c| if plain(c) { c } else { '_' })
        .collect();
    if safe.trim_matches(['.', '_']).is_empty() {
        "file".to_owned()
    } else {
        safe
    }
}
