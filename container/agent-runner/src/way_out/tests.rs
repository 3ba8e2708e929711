use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::UnixListener,
};

use super::*;

/// Answers one connection with these bytes, part by part, and gives what was asked.
async fn serve(listener: UnixListener, parts: &[&str]) -> String {
    let (mut stream, _) = listener.accept().await.unwrap();
    let mut asked = vec![0; 4096];
    let len = stream.read(&mut asked).await.unwrap();
    asked.truncate(len);
    for part in parts {
        stream.write_all(part.as_bytes()).await.unwrap();
    }
    String::from_utf8(asked).unwrap()
}

fn place() -> (tempfile::TempDir, WayOut, UnixListener) {
    let dir = tempfile::tempdir().unwrap();
    let way_out = WayOut::at(Utf8Path::from_path(dir.path()).unwrap());
    let listener = UnixListener::bind(dir.path().join(SOCKET)).unwrap();
    (dir, way_out, listener)
}

fn request() -> Request<Content> {
    Request::post("/model/x").body(Content::from("{}")).unwrap()
}

#[tokio::test]
async fn an_answer_comes_part_by_part() {
    let (_dir, way_out, listener) = place();
    let parts = [
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\nretry-after: 3\r\n\r\n",
        "3\r\none\r\n",
        "3\r\ntwo\r\n0\r\n\r\n",
    ];
    let asking = async {
        let mut answer = way_out.send(request()).await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
        assert_eq!(answer.header("retry-after"), Some("3"));
        answer.beginning(4).await.unwrap()
    };
    let (asked, content) = tokio::join!(serve(listener, &parts), asking);
    assert!(asked.starts_with("POST /model/x HTTP/1.1\r\n"), "{asked}");
    assert_eq!(content, (b"onet".to_vec(), true));
}

#[tokio::test]
async fn what_breaks_off_is_no_end() {
    let (_dir, way_out, listener) = place();
    let parts = ["HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf"];
    let asking = async {
        let mut answer = way_out.send(request()).await.unwrap();
        let mut seen = Vec::new();
        loop {
            match answer.part().await {
                Ok(Some(part)) => seen.extend_from_slice(&part),
                Ok(None) => panic!("an end"),
                Err(failure) => break (seen, failure),
            }
        }
    };
    let (_asked, (seen, failure)) = tokio::join!(serve(listener, &parts), asking);
    assert_eq!(seen, b"half");
    assert!(matches!(failure, WayOutError::Broken { .. }), "{failure:?}");
}

#[tokio::test]
async fn without_a_host_there_is_no_answer() {
    let (_dir, way_out, listener) = place();
    drop(listener);
    let failure = way_out.send(request()).await.unwrap_err();
    assert!(matches!(failure, WayOutError::NoHost { .. }), "{failure:?}");
}
