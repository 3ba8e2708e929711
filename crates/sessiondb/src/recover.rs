//! After a sandbox is proven gone: what it left half done.

use anchorhold_core::sandbox::Exited;
use rusqlite::params;

use crate::{
    Claim, Cursors, Disposition, Error, HostSide,
    layout::{OUTBOUND, open_dir},
    open, progress,
    pull::{self, BEYOND, Ceilings},
    requests,
};

/// What a sandbox left behind.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Recovered {
    /// Messages it had taken and not ended; their claims are taken back.
    pub claims: Vec<Claim>,
    /// Why its file was put aside, if it was. The claims in it are lost with it.
    pub put_aside: Option<String>,
}

impl HostSide {
    /// Cleans up after the sandbox of `exited`: rolls back what it was killed in, takes its claims
    /// back. A file that can't be trusted or read is put aside, so that the next one starts afresh.
    ///
    /// `cursors` and `highest` are what [`HostSide::pull`] takes. Doing it twice is harmless: the
    /// second time finds no claims.
    pub fn recover(
        &self,
        exited: &Exited,
        cursors: Cursors,
        highest: i64,
    ) -> Result<Recovered, Error> {
        if self.root.file_name() != Some(exited.session().to_string().as_str()) {
            return Err(Error::WrongSession {
                path: self.root.clone(),
            });
        }
        // The host's own file: what is wrong with it must not put the other one aside.
        let replied = self.last_reply()?;
        match self.take_back(exited, Ceilings::above(cursors, highest), replied) {
            Ok(claims) => Ok(Recovered {
                claims,
                put_aside: None,
            }),
            Err(error) => match error.disposition() {
                Disposition::Quarantine => {
                    self.put_aside(exited)?;
                    Ok(Recovered {
                        claims: Vec::new(),
                        put_aside: Some(error.to_string()),
                    })
                }
                Disposition::Later | Disposition::Fault => Err(error),
            },
        }
    }

    fn take_back(
        &self,
        exited: &Exited,
        ceilings: Ceilings,
        replied: i64,
    ) -> Result<Vec<Claim>, Error> {
        let path = self.layout.outbound();
        let Some(mut connection) = open::outbound_hostile_rw(&self.layout)? else {
            // A runner that has shown life had made the file: what it had taken is lost with it.
            return match self.progress(exited.generation())? {
                Some(_) => Err(Error::hostile(&path, "it is gone")),
                None => Ok(Vec::new()),
            };
        };
        let failed = Error::sql(&path, "take claims back");
        let transaction = connection
            .transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)
            .map_err(&failed)?;
        let exceeded = ceilings.exceeded(&transaction).map_err(&failed)?
            || requests::exceeded(&transaction, replied).map_err(&failed)?;
        if exceeded {
            return Err(Error::hostile(&path, BEYOND));
        }
        let progress = progress::read(&self.layout.out_dir)?;
        let mut claims = pull::read_claims(&transaction, progress.as_ref()).map_err(&failed)?;
        claims.retain(|claim| claim.generation <= exited.generation());
        transaction
            .execute(
                "DELETE FROM handled WHERE state = 'claimed' AND generation <= ?1",
                params![exited.generation().0],
            )
            .map_err(&failed)?;
        transaction.commit().map_err(&failed)?;
        if progress.is_some_and(|progress| progress.generation <= exited.generation()) {
            progress::remove(&self.layout.out_dir)?;
        }
        Ok(claims)
    }

    /// Renames what can't be trusted, so that an operator can look at it. Only names in `out/` are
    /// touched, whatever they stand for.
    fn put_aside(&self, exited: &Exited) -> Result<(), Error> {
        let dir = open_dir(&self.layout.out_dir)?;
        for suffix in ["", "-journal", "-wal", "-shm"] {
            let name = format!("{OUTBOUND}{suffix}");
            let aside = format!("aside-{}-{name}", exited.generation());
            match rustix::fs::renameat(&dir, &name, &dir, &aside) {
                Ok(()) | Err(rustix::io::Errno::NOENT) => {}
                Err(errno) => {
                    let path = self.layout.out_dir.join(name);
                    return Err(Error::io(&path, "put aside")(errno.into()));
                }
            }
        }
        Ok(())
    }
}
