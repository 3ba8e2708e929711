use std::sync::Mutex;

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    task::JoinHandle,
};
use tokio_util::{sync::DropGuard, task::TaskTracker};

use super::*;
use crate::http::Http;

/// Proves callers by a header, and takes what they say.
#[derive(Default)]
struct Desk {
    taken: Mutex<Vec<String>>,
}

#[async_trait]
impl Receiver for Desk {
    fn admits(&self, headers: &HeaderMap) -> bool {
        let given = headers.get("x-secret");
        given.is_some_and(|given| is_secret(given.as_bytes(), b"s3cret"))
    }

    fn is_proven(&self, call: &Call) -> bool {
        call.body != "forged"
    }

    async fn take(&self, call: Call) -> Reply {
        let said = String::from_utf8(call.body.to_vec()).unwrap();
        let body = Some((
            "text/plain",
            format!("{} {} {said}", call.method, call.query),
        ));
        self.taken.lock().unwrap().push(said);
        Reply {
            status: StatusCode::OK,
            body,
        }
    }
}

struct Bench {
    desk: Arc<Desk>,
    http: Http,
    base: String,
    stop: CancellationToken,
    _guard: DropGuard,
    serving: JoinHandle<Result<(), ChannelError>>,
}

impl Bench {
    async fn start() -> Self {
        let listen = Listen {
            address: "127.0.0.1:0".parse().unwrap(),
            path: "/hook".to_owned(),
        };
        let listener = Listener::open(&listen).await.unwrap();
        let base = format!("http://{}", listener.address().unwrap());
        let desk = Arc::new(Desk::default());
        let receiver: Arc<dyn Receiver> = Arc::<Desk>::clone(&desk);
        let stop = CancellationToken::new();
        let serving = TaskTracker::new().spawn(listener.serve(receiver, stop.clone()));
        Self {
            desk,
            http: Http::new(None).unwrap(),
            base,
            _guard: stop.clone().drop_guard(),
            stop,
            serving,
        }
    }

    async fn call(&self, path: &str, secret: &str, body: String) -> (u16, String) {
        let request = self.http.client().post(format!("{}{path}", self.base));
        let request = request.header("x-secret", secret).body(body);
        let answer = self.http.ask("calling", request).await.unwrap();
        let text = String::from_utf8(answer.body.to_vec()).unwrap();
        (answer.status.as_u16(), text)
    }
}

#[tokio::test]
async fn only_who_is_proven_is_heard_at_the_one_path() {
    let bench = Bench::start().await;
    let said = || "hello".to_owned();
    assert_eq!(
        bench.call("/hook?a=b", "s3cret", said()).await,
        (200, "POST a=b hello".to_owned())
    );
    assert_eq!(bench.call("/hook", "guess", said()).await.0, 401);
    assert_eq!(bench.call("/hook", "s3cret", "forged".into()).await.0, 401);
    assert_eq!(bench.call("/other", "s3cret", said()).await.0, 404);
    assert_eq!(*bench.desk.taken.lock().unwrap(), ["hello"]);
}

/// Who has no secret is turned away at once: nobody waits for a body that may never come.
#[tokio::test]
async fn nothing_is_read_of_who_has_no_secret() {
    let bench = Bench::start().await;
    let address = bench.base.strip_prefix("http://").unwrap();
    let mut caller = TcpStream::connect(address).await.unwrap();
    let head = "POST /hook HTTP/1.1\r\nhost: x\r\nx-secret: guess\r\ncontent-length: 9\r\n\r\n";
    caller.write_all(head.as_bytes()).await.unwrap();
    let mut answer = [0; 12];
    let read = timeout(Duration::from_secs(5), caller.read_exact(&mut answer)).await;
    read.unwrap().unwrap();
    assert_eq!(&answer, b"HTTP/1.1 401");
}

#[tokio::test]
async fn defect_15_a_body_has_a_limit() {
    let bench = Bench::start().await;
    let long = "x".repeat(BODY_LIMIT_BYTES + 1);
    assert_eq!(bench.call("/hook", "s3cret", long).await.0, 413);
    assert_eq!(*bench.desk.taken.lock().unwrap(), Vec::<String>::new());
    assert_eq!(bench.call("/hook", "s3cret", "ok".into()).await.0, 200);
}

#[tokio::test]
async fn it_ends_when_it_is_told_to() {
    let bench = Bench::start().await;
    bench.stop.cancel();
    bench.serving.await.unwrap().unwrap();
}

fn read(text: &str) -> Result<Listen, Vec<String>> {
    let mut reader = TableReader::new(text.parse().unwrap());
    let listen = Listen::read(&mut reader, "/default");
    let read = reader.finish(listen);
    read.map_err(|problems| problems.iter().map(ToString::to_string).collect())
}

#[test]
fn defect_15_it_listens_on_this_machine_unless_it_is_told_otherwise() {
    let listen = |address: &str, path: &str| Listen {
        address: address.parse().unwrap(),
        path: path.to_owned(),
    };
    assert_eq!(
        read("listen = \":8080\""),
        Ok(listen("127.0.0.1:8080", "/default"))
    );
    assert_eq!(
        read("listen = \"0.0.0.0:80\"\npath = \"/x\""),
        Ok(listen("0.0.0.0:80", "/x"))
    );
    assert_eq!(
        read("listen = \"localhost\""),
        Err(vec![
            "listen: has to be an address like \"127.0.0.1:8080\"".to_owned()
        ])
    );
    assert_eq!(
        read("listen = \":1\"\npath = \"x\""),
        Err(vec!["path: has to begin with `/`".to_owned()])
    );
}
