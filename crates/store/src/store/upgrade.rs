//! Brings the schema up to date: all of it or nothing, beside a copy of what was there before.

use std::{
    fs, io,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use sqlx::{
    SqliteConnection,
    migrate::{MigrateError, Migrator},
};

use crate::{error::Error, store::begin};

/// So many copies of earlier schemas are kept.
const COPIES_KEPT: usize = 3;
/// The name of such a copy goes on with the version that came after it.
const BEFORE: &str = ".before-";

/// Applies what is missing. Where that fails, nothing has changed, and an older program still
/// starts; so does one that finds a newer schema than it knows.
pub(super) async fn bring_up_to_date(
    conn: &mut SqliteConnection,
    path: &Path,
    migrations: &Migrator,
) -> Result<(), Error> {
    let failed = |source| Error::Migrate {
        path: path.to_owned(),
        source,
    };
    let opened = |source| Error::Open {
        path: path.to_owned(),
        source,
    };
    let applied = applied(conn).await.map_err(opened)?;
    let known: Vec<i64> = migrations.iter().map(|one| one.version).collect();
    let newest = known.iter().copied().max().unwrap_or_default();
    if let Some(found) = applied
        .iter()
        .copied()
        .filter(|found| !known.contains(found))
        .max()
    {
        return Err(Error::Newer {
            path: path.to_owned(),
            found,
            known: newest,
        });
    }
    if applied.is_empty() || known.iter().any(|version| !applied.contains(version)) {
        if !applied.is_empty() {
            keep_copy(conn, path, newest).await?;
        }
        // One transaction around them all: a half of the way is no schema of any program.
        let mut tx = begin(conn).await.map_err(opened)?;
        run(migrations, &mut tx).await.map_err(failed)?;
        tx.commit().await.map_err(opened)?;
        return Ok(());
    }
    run(migrations, conn).await.map_err(failed)
}

/// Not `Migrator::run`: what that asks of its connection keeps whatever awaits it from being spawned.
async fn run(migrations: &Migrator, conn: &mut SqliteConnection) -> Result<(), MigrateError> {
    migrations.run_direct(None, conn, false).await
}

/// Which migrations the file has; none if it is new.
async fn applied(conn: &mut SqliteConnection) -> sqlx::Result<Vec<i64>> {
    let there: bool = sqlx::query_scalar(
        "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = '_sqlx_migrations')",
    )
    .fetch_one(&mut *conn)
    .await?;
    if !there {
        return Ok(Vec::new());
    }
    sqlx::query_scalar("SELECT version FROM _sqlx_migrations ORDER BY version")
        .fetch_all(conn)
        .await
}

/// Keeps the file as it is now beside it, as what was before `version`, and forgets older copies.
async fn keep_copy(conn: &mut SqliteConnection, path: &Path, version: i64) -> Result<(), Error> {
    let to = named(path, &version.to_string());
    let failed = |source| Error::KeepCopy {
        path: to.clone(),
        source,
    };
    // Whole or not there: one that was begun before has another name.
    let partial = named(path, "partial");
    remove(&partial).map_err(|source| failed(source.into()))?;
    copy(conn, &partial).await.map_err(failed)?;
    fs::rename(&partial, &to)
        .and_then(|()| forget_old(path))
        .map_err(|source| failed(source.into()))
}

/// Writes a copy of the database as one moment has it to `to`, which must not be there; durable
/// when this returns. Writers go on meanwhile.
pub(super) async fn copy(conn: &mut SqliteConnection, to: &Path) -> sqlx::Result<()> {
    // SQLite takes an empty file for none; made here it is nobody else's to read.
    let file = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(to)?;
    let Some(name) = to.to_str() else {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "path is no UTF-8").into());
    };
    sqlx::query("VACUUM INTO ?1")
        .bind(name)
        .execute(conn)
        .await?;
    file.sync_all()?;
    let parent = to.parent().filter(|folder| *folder != Path::new(""));
    let folder = parent.unwrap_or(Path::new("."));
    fs::File::open(folder)?.sync_all()?;
    Ok(())
}

fn named(path: &Path, what: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(BEFORE);
    name.push(what);
    PathBuf::from(name)
}

/// Removes all but the newest copies.
fn forget_old(path: &Path) -> io::Result<()> {
    let (Some(folder), Some(name)) = (
        path.parent(),
        path.file_name().and_then(|name| name.to_str()),
    ) else {
        return Ok(());
    };
    let prefix = format!("{name}{BEFORE}");
    let mut versions: Vec<i64> = fs::read_dir(folder)?
        .filter_map(|entry| {
            let name = entry.ok()?.file_name();
            name.to_str()?.strip_prefix(&prefix)?.parse().ok()
        })
        .collect();
    versions.sort_unstable();
    versions.reverse();
    for version in versions.into_iter().skip(COPIES_KEPT) {
        remove(&named(path, &version.to_string()))?;
    }
    Ok(())
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(failure) if failure.kind() != io::ErrorKind::NotFound => Err(failure),
        Ok(()) | Err(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests;
