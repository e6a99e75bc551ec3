// SPDX-License-Identifier: Apache-2.0
//! What an operator sees when the store cannot be opened.

use std::error::Error as _;
use std::fs;
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::Path;
use std::process::Command;

use nix::unistd::Uid;
use tempfile::TempDir;

use super::behaviour::insert;
use super::fixture;
use crate::{Error, Store};

#[tokio::test]
async fn a_file_of_another_kind_is_refused() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("store.db");
    fs::write(&path, "this is a text of some length, but no database ".repeat(99)).unwrap();
    let said = refusal(&path).await;
    assert!(said.contains("is not a database of ferrostack's"), "{said}");
    assert!(fs::read_to_string(&path).unwrap().starts_with("this is"), "it was changed");
}

#[tokio::test]
async fn somebody_elses_database_is_refused() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("store.db");
    let theirs = rusqlite::Connection::open(&path).unwrap();
    theirs.execute_batch("CREATE TABLE theirs (x)").unwrap();
    drop(theirs);
    let said = refusal(&path).await;
    assert!(said.contains("is not a database of ferrostack's"), "{said}");
}

#[tokio::test]
async fn a_damaged_file_is_refused() {
    let fixture = fixture::sqlite().await;
    let path = fixture.url.strip_prefix("sqlite:").unwrap().to_owned();
    let filled = fixture.store.write(|tx| (0..500).try_for_each(|n| insert(tx, &format!("{n:040}"), &format!("{n:0400}"))));
    filled.await.unwrap();
    let fixture::Fixture { store, _dir, .. } = fixture;
    drop(store);
    let file = fs::File::options().write(true).open(&path).unwrap();
    let size = file.metadata().unwrap().len();
    for page in 4..size / 4096 {
        file.write_all_at(&[0xA5; 900], page * 4096).unwrap();
    }
    let said = refusal(Path::new(&path)).await;
    assert!(said.contains("is damaged"), "{said}");
    assert!(said.contains("restore it from a backup"), "{said}");

    file.set_len(size / 2).unwrap();
    let said = refusal(Path::new(&path)).await;
    assert!(said.contains("is damaged"), "{said}");
}

#[tokio::test]
async fn a_file_that_was_cut_off_is_refused_whatever_its_size() {
    let fixture = fixture::sqlite().await;
    let path = fixture.url.strip_prefix("sqlite:").unwrap().to_owned();
    let filled = fixture.store.write(|tx| (0..100).try_for_each(|n| insert(tx, &format!("{n:040}"), &format!("{n:0400}"))));
    filled.await.unwrap();
    let fixture::Fixture { store, _dir, .. } = fixture;
    drop(store);
    let file = fs::File::options().write(true).open(&path).unwrap();
    let size = file.metadata().unwrap().len();
    file.set_len(size - 4096).unwrap();
    let said = refusal(Path::new(&path)).await;
    assert!(said.contains(&format!("it ends after {} of its {size} bytes", size - 4096)), "{said}");
}

/// The database lies on a disk of its own, which is filled to the last byte.
#[test]
fn a_full_disk_refuses_writes_and_nothing_else() {
    let dir = TempDir::new().unwrap();
    let child = Command::new("unshare")
        .args(["--mount", "--"])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "tests::files::child_on_a_disk_of_its_own", "--ignored", "--nocapture"])
        .env(DIRECTORY, dir.path())
        .output()
        .unwrap();
    assert!(child.status.success(), "{}{}", String::from_utf8_lossy(&child.stdout), String::from_utf8_lossy(&child.stderr));
}

#[tokio::test]
#[ignore = "not a test of its own: a_full_disk_refuses_writes_and_nothing_else runs it as a child"]
async fn child_on_a_disk_of_its_own() {
    let dir = std::env::var(DIRECTORY).expect("the parent names the directory");
    let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", "size=1m", "none", &dir]).status().unwrap();
    assert!(mounted.success());
    let store = Store::open(&format!("sqlite:{dir}/store.db")).await.unwrap();
    store.migrate(&[fixture::TABLES]).await.unwrap();
    store.write(|tx| insert(tx, "before", "web")).await.unwrap();
    let ballast = Path::new(&dir).join("ballast");
    let filled = fs::write(&ballast, vec![1; 2 << 20]).unwrap_err();
    assert_eq!(filled.kind(), std::io::ErrorKind::StorageFull);

    let mut refused = None;
    for n in 0..1000 {
        let name = format!("{n:0900}");
        if let Err(error) = store.write(move |tx| insert(tx, &format!("filling{n}"), &name)).await {
            refused = Some((n, error));
            break;
        }
    }
    let (acknowledged, refused) = refused.expect("the disk takes no end of it");
    assert!(matches!(refused, Error::Full { .. }), "{refused:?}");
    assert!(refused.to_string().contains("nothing was changed"), "{refused}");
    let count = async |store: &Store| super::behaviour::names(store).await.len();
    assert_eq!(count(&store).await, 1 + acknowledged, "what was acknowledged is there, and no half of what was not");
    fs::remove_file(&ballast).unwrap();
    store.write(|tx| insert(tx, "after", "mail")).await.unwrap();
    assert_eq!(count(&store).await, 2 + acknowledged);
}

#[tokio::test]
async fn a_database_in_use_is_refused() {
    let fixture = fixture::sqlite().await;
    let second = Store::open(&fixture.url).await.unwrap_err().to_string();
    let expected = format!("another ferrostack (process {}) uses", std::process::id());
    assert!(second.starts_with(&expected), "{second}");
    let again = fixture.reopen().await;
    again.store.write(|tx| insert(tx, "a", "web")).await.unwrap();
}

#[tokio::test]
async fn a_missing_directory_is_named() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("missing/store.db");
    let refused = Store::open(&format!("sqlite:{}", path.display())).await.unwrap_err();
    assert_eq!(refused.to_string(), format!("open database {} for writing", path.display()));
    let cause = refused.source().unwrap().to_string();
    assert!(cause.contains("No such file or directory"), "{cause}");
}

const DIRECTORY: &str = "STORE_TEST_READ_ONLY_DIRECTORY";

/// Root may write everywhere, so an unprivileged child looks.
#[test]
fn a_read_only_directory_is_named() {
    let dir = TempDir::new().unwrap();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o555)).unwrap();
    let mut child = if Uid::effective().is_root() {
        let mut command = Command::new("setpriv");
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups", "--"]);
        command.arg(std::env::current_exe().unwrap());
        command
    } else {
        Command::new(std::env::current_exe().unwrap())
    };
    child.args(["--exact", "tests::files::child_that_may_not_write", "--ignored"]);
    let status = child.env(DIRECTORY, dir.path()).status().unwrap();
    assert!(status.success());
}

#[tokio::test]
#[ignore = "not a test of its own: a_read_only_directory_is_named runs it as a child"]
async fn child_that_may_not_write() {
    let dir = std::env::var(DIRECTORY).expect("the parent names the directory");
    let path = Path::new(&dir).join("store.db");
    let refused = Store::open(&format!("sqlite:{}", path.display())).await.unwrap_err();
    assert!(matches!(refused, Error::Unwritable { .. }), "{refused:?}");
    let cause = refused.source().unwrap().to_string();
    assert!(cause.contains("Permission denied"), "{cause}");
}

#[tokio::test]
async fn only_the_owner_can_read_the_file() {
    let fixture = fixture::sqlite().await;
    let path = fixture.url.strip_prefix("sqlite:").unwrap();
    fixture.store.write(|tx| insert(tx, "a", "web")).await.unwrap();
    for file in ["", "-wal", "-shm", ".lock"] {
        let mode = fs::metadata(format!("{path}{file}")).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{file}");
    }
}

#[tokio::test]
async fn after_a_checkpoint_a_plain_copy_of_the_file_is_whole() {
    let fixture = fixture::sqlite().await;
    fixture.store.write(|tx| insert(tx, "a", "web")).await.unwrap();
    // A reader stays open beside the writer, as in a controller that ends.
    fixture.store.read(|tx| tx.query("SELECT id FROM things", &[])).await.unwrap();
    let path = fixture.url.strip_prefix("sqlite:").unwrap();
    assert!(!copy_is_whole(path).await, "the log is folded in by itself, so this test shows nothing");
    fixture.store.checkpoint().await.unwrap();
    assert!(copy_is_whole(path).await);
    assert_eq!(fs::metadata(format!("{path}-wal")).unwrap().len(), 0);
}

/// Copies the file alone, without the log beside it, while the database is open.
async fn copy_is_whole(path: &str) -> bool {
    let dir = TempDir::new().unwrap();
    let copy = dir.path().join("copy.db");
    fs::copy(path, &copy).unwrap();
    let copy = Store::open(&format!("sqlite:{}", copy.display())).await.unwrap();
    copy.read(|tx| tx.query("SELECT id FROM things", &[])).await.is_ok_and(|rows| rows.len() == 1)
}

#[tokio::test]
async fn a_url_of_neither_engine_is_refused_without_repeating_its_password() {
    for url in ["sqlite:", "mysql://root:hunter2@host/db", "store.db", "", "postgres://u:hunter2@h:notaport/d"] {
        let refused = Store::open(url).await.unwrap_err();
        assert!(matches!(refused, Error::Url { .. }), "{refused:?}");
        assert!(!format!("{refused} {refused:?}").contains("hunter2"));
    }
}

#[tokio::test]
async fn a_postgres_that_does_not_answer_is_unreachable() {
    let refused = Store::open("postgres://u:hunter2@127.0.0.1:1/db").await.unwrap_err();
    assert!(matches!(refused, Error::Unreachable { .. }), "{refused:?}");
    assert_eq!(refused.to_string(), "reach the database");
    assert!(!format!("{refused:?}").contains("hunter2"));
    let url = database::new_postgres_database().await;
    let missing = Store::open(&format!("{url}-missing")).await.unwrap_err();
    assert!(matches!(missing, Error::Unreachable { .. }), "{missing:?}");
}

async fn refusal(path: &Path) -> String {
    let opened = Store::open(&format!("sqlite:{}", path.display())).await;
    opened.unwrap_err().to_string()
}
