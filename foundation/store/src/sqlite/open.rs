// SPDX-License-Identifier: Apache-2.0
//! Opens the file: takes the lock, looks whether it is sound and ours, and sets each connection up.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, config::DbConfig};

use crate::session::sqlite::Session;
use crate::{Error, Result};

/// Says "this SQLite file is ferrostack's" in the file's header.
const APPLICATION_ID: i64 = 0x4665_5374;

/// Files up to this size are checked page by page when they are opened; beyond, the start would take too long and
/// damage shows when the page is read.
const CHECKED_WHOLE: u64 = 32 << 20;

/// Held for as long as the database is open. The kernel lets go of it when the process dies, however it dies.
pub(super) struct Lock {
    _file: File,
}

/// Opens the writer's connection, making the database if there is none.
pub(super) fn open(path: &Path) -> Result<(Session, Lock)> {
    let lock = take_lock(path)?;
    // Made by us rather than by SQLite, so that nobody else on the machine can read it.
    private_file(path).map_err(|error| unwritable(path, error))?;
    refuse_cut_off(path).map_err(|error| unwritable(path, error))??;
    let session = connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    let size = std::fs::metadata(path).map_or(0, |file| file.len());
    claim(session, path, size).map(|session| (session, lock))
}

/// Opens a connection that can only read.
pub(super) fn reader(path: &Path) -> Result<Session> {
    connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY)
}

fn connect(path: &Path, mode: OpenFlags) -> Result<Session> {
    let shared_path: Arc<Path> = path.into();
    let connection =
        Connection::open_with_flags(path, mode | OpenFlags::SQLITE_OPEN_NO_MUTEX).map_err(|error| unwritable(path, error))?;
    connection.set_prepared_statement_cache_capacity(128);
    // Otherwise a prepared statement is parsed and planned anew whenever other values are bound to it, for the sake of
    // statistics (STAT4) that we do not gather.
    let plans_are_kept = connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true);
    plans_are_kept.map_err(|error| unwritable(path, error))?;
    let mut session = Session::new(connection, shared_path);
    session.busy_timeout(Duration::from_secs(5)).map_err(|e| session.explain(e))?;
    // LIKE distinguishes case, as on PostgreSQL.
    session.script("PRAGMA case_sensitive_like = ON")?;
    Ok(session)
}

/// Checks the file and sets up what the whole database shares.
fn claim(mut session: Session, path: &Path, size: u64) -> Result<Session> {
    // No mmap: an I/O error would be a signal instead of an error, and each connection's mapping would count as
    // memory of ours.
    // The log is copied into the file every 16 MiB: a page that changes often is then copied less often, and opening
    // after a crash still reads the log in a few milliseconds.
    session.script(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; \
         PRAGMA cache_size = -4096; \
         PRAGMA wal_autocheckpoint = 4000; PRAGMA journal_size_limit = 67108864; PRAGMA temp_store = MEMORY;",
    )?;
    let tables: i64 = number(&mut session, "SELECT count(*) FROM sqlite_schema")?;
    match number(&mut session, "PRAGMA application_id")? {
        APPLICATION_ID => {}
        0 if tables == 0 => {
            session.script(&format!("PRAGMA application_id = {APPLICATION_ID}"))?;
        }
        _ => {
            return Err(Error::NotADatabase { path: path.to_owned() });
        }
    }
    if size <= CHECKED_WHOLE {
        let report = session.query("PRAGMA quick_check(1)", &[])?;
        let verdict = report.first().map(|row| row.get::<String>(0)).transpose()?;
        if verdict.as_deref() != Some("ok") {
            return Err(Error::Corrupt { path: path.to_owned(), detail: verdict.unwrap_or_default() });
        }
    }
    Ok(session)
}

/// A file that ends before its own header says so, as after a copy that broke off. SQLite would find out only where it
/// reads. While there is a write-ahead log, the rest may be in it.
fn refuse_cut_off(path: &Path) -> std::io::Result<Result<()>> {
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    if std::fs::metadata(log).is_ok_and(|log| log.len() > 0) {
        return Ok(Ok(()));
    }
    let mut header = [0; 32];
    let mut file = File::open(path)?;
    let size = file.metadata()?.len();
    if size == 0 {
        return Ok(Ok(()));
    }
    let is_ours = file.read_exact(&mut header).is_ok() && header.starts_with(b"SQLite format 3\0");
    let page = match u16::from_be_bytes([header[16], header[17]]) {
        1 => 65_536,
        page => u64::from(page),
    };
    let whole = page * u64::from(u32::from_be_bytes([header[28], header[29], header[30], header[31]]));
    Ok(if is_ours && size < whole {
        Err(Error::Corrupt { path: path.to_owned(), detail: format!("it ends after {size} of its {whole} bytes") })
    } else {
        Ok(())
    })
}

fn number(session: &mut Session, sql: &'static str) -> Result<i64> {
    let rows = session.query(sql, &[])?;
    rows.first().ok_or(Error::NoRow)?.get(0)
}

/// Takes `<path>.lock`, so that two processes never write one database.
fn take_lock(path: &Path) -> Result<Lock> {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let opened = private_file(&PathBuf::from(name));
    let mut file = opened.map_err(|error| unwritable(path, error))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut holder = String::new();
            let pid = file.read_to_string(&mut holder).ok();
            let holder = pid.map_or_else(String::new, |_| format!(" (process {})", holder.trim()));
            return Err(Error::InUse { path: path.to_owned(), holder });
        }
        Err(TryLockError::Error(error)) => return Err(unwritable(path, error)),
    }
    let note = file.set_len(0).and_then(|()| file.rewind()).and_then(|()| write!(file, "{}", std::process::id()));
    note.map_err(|error| unwritable(path, error))?;
    Ok(Lock { _file: file })
}

/// Opens a file that only its owner may read, making it if there is none.
fn private_file(path: &Path) -> std::io::Result<File> {
    OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)
}

fn unwritable(path: &Path, error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::Unwritable { path: path.to_owned(), source: Arc::new(error) }
}
