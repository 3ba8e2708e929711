use axum::serve::Listener as _;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    time::timeout,
};

use super::*;

const IDLE: Duration = Duration::from_secs(30);

async fn seats(count: usize) -> Seats {
    let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
    Seats::new(socket, count, IDLE)
}

#[tokio::test]
async fn who_comes_when_all_seats_are_taken_waits() {
    let mut seats = seats(1).await;
    let address = seats.local_addr().unwrap();
    let _first = TcpStream::connect(address).await.unwrap();
    let _second = TcpStream::connect(address).await.unwrap();
    let (taken, _) = seats.accept().await;
    let none = timeout(Duration::from_millis(20), seats.accept()).await;
    assert!(none.is_err());
    drop(taken);
    seats.accept().await;
}

#[tokio::test(start_paused = true)]
async fn who_says_nothing_has_to_go() {
    let mut seats = seats(1).await;
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
