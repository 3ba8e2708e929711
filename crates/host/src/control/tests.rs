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
    check("{\"ask\":\"secrets\"}", None);
    check("{}", None);
    check("", None);
}
