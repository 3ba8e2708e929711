use axum::serve::Listener as _;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    time::timeout,
};

use super::*;
use crate::webhook::port::CONNECTIONS_LIMIT;

const IDLE: Duration = Duration::from_secs(30);

async fn seats() -> Seats {
    let port = Port::open("127.0.0.1:0".parse().unwrap()).await.unwrap();
    Seats::new(port, IDLE)
}

#[tokio::test]
async fn who_comes_when_all_seats_are_taken_waits() {
    let mut seats = seats().await;
    let address = seats.local_addr().unwrap();
    let _callers = [
        TcpStream::connect(address).await.unwrap(),
        TcpStream::connect(address).await.unwrap(),
    ];
    let mut others = Vec::new();
    for _ in 1..CONNECTIONS_LIMIT {
        others.extend(seats.port.seat().await);
    }
    let (taken, _) = seats.accept().await;
    let none = timeout(Duration::from_millis(20), seats.accept()).await;
    assert!(none.is_err());
    drop(taken);
    seats.accept().await;
}

#[tokio::test(start_paused = true)]
async fn who_says_nothing_has_to_go() {
    let mut seats = seats().await;
    let mut caller = TcpStream::connect(seats.local_addr().unwrap())
        .await
        .unwrap();
    let (mut seated, _) = seats.accept().await;
    caller.write_all(b"x").await.unwrap();
    assert_eq!(seated.read_u8().await.unwrap(), b'x');
    let began = Instant::now();
    let ended = seated.read_u8().await.unwrap_err();
    assert_eq!(ended.kind(), io::ErrorKind::TimedOut);
    assert!(began.elapsed() >= IDLE);
}
