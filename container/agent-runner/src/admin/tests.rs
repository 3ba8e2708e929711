use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use anchorhold_admin::client::AskError;
use anchorhold_sessiondb::{HostSide, bell};
use camino::{Utf8Path, Utf8PathBuf};
use jiff::Timestamp;

use crate::{
    Error,
    admin::{PATIENCE, POLL, ask_and_wait, ask_error, exchange},
    report,
};

const REQUEST: &str = "{\"list\":\"groups\"}";

fn host(dir: &tempfile::TempDir) -> HostSide {
    HostSide::create(Utf8Path::from_path(dir.path()).unwrap(), None).unwrap()
}

/// What the host has to reply to; it waits for the bell.
fn answer(host: &HostSide, reply: &str) {
    let bell = bell::bind(host.in_dir()).unwrap();
    bell.set_nonblocking(false).unwrap();
    bell.set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    READY.store(true, Ordering::Release);
    bell.recv(&mut [0]).unwrap();
    let asked = host.requests_after(host.last_reply().unwrap(), 10).unwrap();
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0].request, REQUEST);
    host.reply(asked[0].id, reply, Timestamp::UNIX_EPOCH)
        .unwrap();
}

static READY: AtomicBool = AtomicBool::new(false);

#[test]
fn a_request_gets_its_reply() {
    let dir = tempfile::tempdir().unwrap();
    let host = host(&dir);
    std::thread::scope(|scope| {
        scope.spawn(|| answer(&host, "{\"groups\":[]}"));
        while !READY.load(Ordering::Acquire) {
            std::thread::yield_now();
        }
        let reply = exchange(
            host.in_dir(),
            host.out_dir(),
            REQUEST,
            Timestamp::UNIX_EPOCH,
        );
        assert_eq!(reply.unwrap(), "{\"groups\":[]}");
    });
}

#[test]
fn what_may_have_been_asked_for_is_said_to_be() {
    let check = |error: Error, unanswered: bool| {
        let said = matches!(ask_error(&error), AskError::Unanswered(_));
        assert_eq!(said, unanswered, "{error}");
    };
    check(Error::NoReply { seconds: 30 }, true);
    check(Error::NotAsked, false);
    let nowhere = Utf8Path::new("/nowhere");
    let absent = exchange(nowhere, nowhere, REQUEST, Timestamp::UNIX_EPOCH);
    check(absent.unwrap_err(), true);
}

#[tokio::test(start_paused = true)]
async fn without_a_reply_it_says_that_the_request_may_still_be_carried_out() {
    let dir = tempfile::tempdir().unwrap();
    let host = host(&dir);
    let error = ask(&host, PATIENCE).await.unwrap_err();
    assert_eq!(
        report(&error),
        "the host did not answer within 30 s; the request may still be carried out"
    );
    assert_eq!(host.requests_after(0, 10).unwrap().len(), 1);
}

#[tokio::test]
async fn a_file_in_use_is_waited_for() {
    let dir = tempfile::tempdir().unwrap();
    let host = host(&dir);
    let locker = raw(&host.in_dir().join("inbound.db"));
    locker.execute_batch("BEGIN EXCLUSIVE").unwrap();
    let serve = async {
        locker.execute_batch("COMMIT").unwrap();
        while host.requests_after(0, 10).unwrap().is_empty() {
            tokio::time::sleep(POLL).await;
        }
        host.reply(1, "done", Timestamp::UNIX_EPOCH).unwrap();
    };
    let (reply, ()) = tokio::join!(ask(&host, PATIENCE), serve);
    assert_eq!(reply.unwrap(), "done");
}

#[tokio::test(start_paused = true)]
async fn a_file_in_use_for_too_long_means_that_nothing_was_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    let host = host(&dir);
    let locker = raw(&host.in_dir().join("inbound.db"));
    locker.execute_batch("BEGIN EXCLUSIVE").unwrap();
    let error = ask(&host, POLL).await.unwrap_err();
    assert_eq!(
        report(&error),
        "the session's files are in use; nothing was asked for"
    );
    locker.execute_batch("COMMIT").unwrap();
    assert_eq!(host.requests_after(0, 10).unwrap(), vec![]);
}

async fn ask(host: &HostSide, patience: Duration) -> Result<String, Error> {
    let (in_dir, out_dir) = (host.in_dir(), host.out_dir());
    ask_and_wait(in_dir, out_dir, REQUEST, Timestamp::UNIX_EPOCH, patience).await
}

#[expect(
    clippy::disallowed_methods,
    reason = "the test does what neither side would do"
)]
fn raw(path: &Utf8PathBuf) -> rusqlite::Connection {
    rusqlite::Connection::open(path).unwrap()
}
