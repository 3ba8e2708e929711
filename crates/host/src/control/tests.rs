//! The operator asks; a host answers, or none does. What a host answers is tested with a whole host.

use std::os::unix::fs::FileTypeExt;

use tempfile::TempDir;

use super::*;

fn socket(dir: &TempDir) -> Utf8PathBuf {
    Utf8PathBuf::from_path_buf(dir.path().join("control.sock")).unwrap()
}

#[tokio::test]
async fn without_a_host_there_is_no_answer() {
    let dir = TempDir::new().unwrap();
    let path = socket(&dir);
    assert!(ask(&path, Request::Status).await.is_none());
    // One that was killed leaves its socket behind.
    drop(bind(&path).unwrap());
    assert!(path.exists());
    assert!(ask(&path, Request::Status).await.is_none());
}

#[tokio::test]
async fn the_socket_is_the_owners_alone_and_takes_a_dead_ones_place() {
    let dir = TempDir::new().unwrap();
    let path = socket(&dir);
    for _ in 0..2 {
        let _listener = bind(&path).unwrap();
        let meta = fs::symlink_metadata(&path).unwrap();
        assert!(meta.file_type().is_socket());
        assert_eq!(meta.permissions().mode() & 0o777, 0o600);
    }
    // What one that died left half made is in nobody's way.
    fs::create_dir(dir.path().join(".control")).unwrap();
    drop(UnixListener::bind(dir.path().join(".control/s")).unwrap());
    drop(bind(&path).unwrap());
    assert!(!dir.path().join(".control").exists());
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    assert!(bind(&path).is_err());
}

#[tokio::test]
async fn an_answer_that_is_none_counts_as_none() {
    let dir = TempDir::new().unwrap();
    let path = socket(&dir);
    for answer in ["", "{}\n", "no json\n", "{\"pid\":1}\n"] {
        let listener = bind(&path).unwrap();
        let served = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut line = String::new();
            BufReader::new(&mut stream)
                .read_line(&mut line)
                .await
                .unwrap();
            assert_eq!(line, "{\"ask\":\"status\"}\n");
            stream.write_all(answer.as_bytes()).await.unwrap();
        };
        let (answered, ()) = tokio::join!(ask(&path, Request::Status), served);
        assert!(answered.is_none(), "{answer}");
    }
}

#[test]
fn what_can_be_asked() {
    let check = |text: &str, expect: Option<Request>| {
        assert_eq!(serde_json::from_str::<Request>(text).ok(), expect, "{text}");
    };
    check("{\"ask\":\"status\"}", Some(Request::Status));
    let request = admin::Request {
        resource: "groups".to_owned(),
        verb: "list".to_owned(),
        args: [("limit".to_owned(), "3".to_owned())].into(),
    };
    check(
        "{\"ask\":\"admin\",\"request\":{\"resource\":\"groups\",\"verb\":\"list\",\"args\":{\"limit\":\"3\"}}}",
        Some(Request::Admin { request }),
    );
    check("{\"ask\":\"admin\"}", None);
    check("{\"ask\":\"admin\",\"request\":{},\"more\":1}", None);
    check("{\"ask\":\"secrets\"}", None);
    check("{}", None);
    check("", None);
}

#[test]
fn only_the_hosts_own_user_and_root_may_ask() {
    for (peer, own, may) in [
        (1000, 1000, true),
        (0, 1000, true),
        (0, 0, true),
        (1001, 1000, false),
        (1000, 0, false),
    ] {
        assert_eq!(may_ask(peer, own), may, "{peer} asks {own}");
    }
}

#[tokio::test]
async fn a_request_has_a_limit() {
    let limit = usize::try_from(REQUEST_LIMIT_BYTES).unwrap();
    let fits = format!("{}\n", "x".repeat(limit - 1));
    assert_eq!(line(fits.as_bytes()).await.unwrap(), fits);
    let long = "x".repeat(limit + 1);
    let failed = line(long.as_bytes()).await.unwrap_err();
    assert_eq!(failed.kind(), io::ErrorKind::InvalidData);
}

#[tokio::test]
async fn what_a_host_refuses_is_said_and_what_it_leaves_open_too() {
    let dir = TempDir::new().unwrap();
    let path = socket(&dir);
    let answered = async |answer: &'static str| {
        let listener = bind(&path).unwrap();
        let served = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            stream.write_all(answer.as_bytes()).await.unwrap();
        };
        let (answered, ()) = tokio::join!(call::<Status>(&path, &Request::Status), served);
        answered.unwrap_err()
    };
    let refused = answered("{\"error\":\"not you\"}\n").await;
    assert!(matches!(refused, AskError::Refused { why } if why == "not you"));
    assert!(matches!(answered("").await, AskError::Lost { .. }));
    assert!(matches!(answered("{}\n").await, AskError::Odd { .. }));
    fs::remove_file(&path).unwrap();
    let absent = call::<Status>(&path, &Request::Status).await.unwrap_err();
    assert!(matches!(absent, AskError::NoHost { .. }));
}
