//! A small root file system from this machine's own programs.

use std::{collections::BTreeSet, fs, process::Command};

const PROGRAMS: [&str; 15] = [
    "sh", "cat", "dd", "env", "id", "ls", "readlink", "rm", "seq", "setsid", "sleep", "tail",
    "touch", "true", "mkdir",
];

/// A root file system of a few programs and the libraries that they name.
pub(crate) fn archive() -> Vec<u8> {
    let mut archive = tar::Builder::new(Vec::new());
    let mut files = BTreeSet::new();
    for program in PROGRAMS {
        let path = format!("/bin/{program}");
        let listed = Command::new("ldd").arg(&path).output().unwrap();
        let listed = String::from_utf8(listed.stdout).unwrap();
        let libraries = listed
            .split_whitespace()
            .filter(|word| word.starts_with('/'))
            .map(str::to_owned);
        files.extend(libraries);
        files.insert(path);
    }
    for dir in [
        "tmp",
        "proc",
        "dev",
        "sys",
        "etc",
        "anchorhold/in",
        "anchorhold/out",
    ] {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(tar::EntryType::Directory);
        header.set_mode(0o755);
        header.set_size(0);
        archive
            .append_data(&mut header, dir, std::io::empty())
            .unwrap();
    }
    for path in files {
        let content = fs::read(&path).unwrap();
        let mut header = tar::Header::new_gnu();
        header.set_mode(0o755);
        header.set_size(u64::try_from(content.len()).unwrap());
        let inside = path.trim_start_matches('/');
        archive
            .append_data(&mut header, inside, content.as_slice())
            .unwrap();
    }
    archive.into_inner().unwrap()
}
