use async_trait::async_trait;
use axum::http::{HeaderMap, StatusCode};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::*;
use crate::{
    http::Http,
    webhook::{Call, Listen, Listener, Reply},
};

/// Answers with a number of its own.
struct Desk(u16);

#[async_trait]
impl Receiver for Desk {
    fn admits(&self, _headers: &HeaderMap) -> bool {
        true
    }

    async fn take(&self, _call: Call) -> Reply {
        Reply::of(StatusCode::from_u16(self.0).unwrap())
    }
}

async fn free() -> SocketAddr {
    let port = Port::open("127.0.0.1:0".parse().unwrap()).await.unwrap();
    port.address().unwrap()
}

async fn open(address: SocketAddr, path: &str) -> Result<Listener, ChannelError> {
    let path = path.to_owned();
    Listener::open(&Listen { address, path }).await
}

async fn call(address: SocketAddr, path: &str) -> Option<u16> {
    let http = Http::new(None).unwrap();
    let request = http.client().post(format!("http://{address}{path}"));
    let answer = http.ask("calling", request).await.ok()?;
    Some(answer.status.as_u16())
}

#[tokio::test]
async fn one_port_serves_all_paths_and_is_free_when_the_last_one_goes() {
    let address = free().await;
    let first = open(address, "/first").await.unwrap();
    let second = open(address, "/second").await.unwrap();
    let (stop_first, stop_second) = (CancellationToken::new(), CancellationToken::new());
    let tasks = TaskTracker::new();
    let first = tasks.spawn(first.serve(Arc::new(Desk(201)), stop_first.clone()));
    let second = tasks.spawn(second.serve(Arc::new(Desk(202)), stop_second.clone()));
    assert_eq!(call(address, "/first").await, Some(201));
    assert_eq!(call(address, "/second").await, Some(202));
    assert_eq!(call(address, "/third").await, Some(404));
    stop_first.cancel();
    first.await.unwrap().unwrap();
    assert_eq!(call(address, "/first").await, Some(404));
    assert_eq!(call(address, "/second").await, Some(202));
    stop_second.cancel();
    second.await.unwrap().unwrap();
    TcpListener::bind(address).await.unwrap();
}

#[tokio::test]
async fn a_path_has_one_receiver_until_it_goes() {
    let address = free().await;
    let first = open(address, "/path").await.unwrap();
    let refused = open(address, "/path").await.unwrap_err();
    assert_eq!(
        refused.to_string(),
        "refused for good: another instance is called at the path /path of this port"
    );
    drop(first);
    open(address, "/path").await.unwrap();
}

#[tokio::test]
async fn a_port_of_another_program_may_be_free_later() {
    let held = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let taken = open(held.local_addr().unwrap(), "/path").await;
    assert!(
        matches!(taken, Err(ChannelError::Transient { .. })),
        "{taken:?}"
    );
}
