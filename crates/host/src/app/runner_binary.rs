//! The agent-runner's binary: found, and copied into a folder of its own that can be mounted.

use std::{
    fs, io,
    os::unix::fs::{PermissionsExt, symlink},
};

use camino::{Utf8Path, Utf8PathBuf};

/// The name of the binary, here and inside.
const NAME: &str = "agent-runner";
/// The name under which the same binary is the command of administration inside.
const ADMIN_NAME: &str = "anchorhold";

/// Where the binary is: where it was said to be, else beside the host's own.
pub fn find(said: Option<&Utf8Path>) -> Utf8PathBuf {
    if let Some(path) = said {
        return path.to_owned();
    }
    let beside = std::env::current_exe()
        .ok()
        .and_then(|exe| Utf8PathBuf::from_path_buf(exe).ok())
        .and_then(|exe| exe.parent().map(|dir| dir.join(NAME)));
    beside.unwrap_or_else(|| NAME.into())
}

/// Puts a copy of the binary alone into `dir`. A folder is mounted, never a file, and what else
/// lies beside the original is nobody's business inside.
pub(super) fn install(binary: &Utf8Path, dir: &Utf8Path) -> io::Result<()> {
    fs::create_dir_all(dir)?;
    fs::set_permissions(dir, fs::Permissions::from_mode(0o755))?;
    name_again(dir)?;
    let target = dir.join(NAME);
    if same(binary, &target)? {
        return Ok(());
    }
    // Beside and then renamed: sandboxes that run keep the file they began with.
    let fresh = dir.join("agent-runner.next");
    fs::copy(binary, &fresh)?;
    fs::set_permissions(&fresh, fs::Permissions::from_mode(0o755))?;
    fs::rename(&fresh, &target)
}

/// Gives the binary its second name: a link that leads to whatever lies beside it, here and inside.
fn name_again(dir: &Utf8Path) -> io::Result<()> {
    let link = dir.join(ADMIN_NAME);
    if fs::read_link(&link).is_ok_and(|leads_to| leads_to.as_os_str() == NAME) {
        return Ok(());
    }
    // Beside and then renamed, so that the name is never missing.
    let fresh = dir.join("anchorhold.next");
    match fs::remove_file(&fresh) {
        Err(failure) if failure.kind() != io::ErrorKind::NotFound => return Err(failure),
        Ok(()) | Err(_) => {}
    }
    symlink(NAME, &fresh)?;
    fs::rename(&fresh, &link)
}

fn same(binary: &Utf8Path, target: &Utf8Path) -> io::Result<bool> {
    let Ok(known) = fs::metadata(target) else {
        return Ok(false);
    };
    Ok(known.len() == fs::metadata(binary)?.len() && fs::read(binary)? == fs::read(target)?)
}

#[cfg(test)]
mod tests;
