//! Files of the agent, on their way out: `out/outbox/<seq>/`, a hostile place.

use std::io::Read;

use anchorhold_core::outbound::{FILE_LIMIT_BYTES, OutboundFile};

use crate::{
    Error, HostSide, Seq,
    layout::{Found, OUTBOX, open_dir, open_plain, open_subdir},
};

impl HostSide {
    /// Reads the named files of row `seq`.
    ///
    /// No link is followed on the way, from `out/` down; a name is one path segment; each file is
    /// plain and of bounded length. What is not so is an error that names it.
    pub fn read_outbox(&self, seq: Seq, names: &[String]) -> Result<Vec<OutboundFile>, Error> {
        let dir_path = self.layout.out_dir.join(OUTBOX).join(seq.to_string());
        let out = open_dir(&self.layout.out_dir)?;
        let outbox = open_subdir(&out, &self.layout.out_dir, OUTBOX)?;
        let dir = open_subdir(&outbox, &self.layout.out_dir.join(OUTBOX), &seq.to_string())?;
        let mut files = Vec::with_capacity(names.len());
        for name in names {
            let path = dir_path.join(name);
            if name.is_empty() || name == "." || name == ".." || name.contains(['/', '\0']) {
                return Err(Error::hostile(
                    &dir_path,
                    "a file name is no single path segment",
                ));
            }
            let found = open_plain(&dir, &dir_path, name, FILE_LIMIT_BYTES)?;
            let Found::Plain(file) = found else {
                return Err(Error::hostile(&path, "it is not there"));
            };
            let mut content = Vec::new();
            // The file can still grow while it is read.
            file.take(FILE_LIMIT_BYTES + 1)
                .read_to_end(&mut content)
                .map_err(Error::io(&path, "read"))?;
            if u64::try_from(content.len()).unwrap_or(u64::MAX) > FILE_LIMIT_BYTES {
                return Err(Error::hostile(&path, "it is too long"));
            }
            files.push(OutboundFile {
                name: name.clone(),
                content,
            });
        }
        Ok(files)
    }
}
