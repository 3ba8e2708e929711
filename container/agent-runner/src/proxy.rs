//! The way out for programs that know proxies and no Unix sockets: a port on the loopback of this
//! sandbox, passed on to the broker as it is.

use std::{fmt, io, net::Ipv4Addr, sync::Arc};

use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    time::{Duration, sleep},
};
use tokio_util::task::TaskTracker;

use crate::{report, way_out::WayOut};

/// The most connections at a time; the broker has the same limit.
const CONNECTIONS_LIMIT: usize = 64;
/// After the system refused a connection.
const AFTER_FAILURE: Duration = Duration::from_millis(100);

/// A port that leads to the broker.
pub struct Proxy {
    listener: TcpListener,
    port: u16,
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Proxy")
            .field("port", &self.port)
            .finish_non_exhaustive()
    }
}

impl Proxy {
    /// Takes a free port of the loopback.
    pub async fn bind() -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let port = listener.local_addr()?.port();
        Ok(Self { listener, port })
    }

    /// What tools have in their environment, so that they find the way out.
    pub fn environment(&self) -> Vec<(String, String)> {
        let url = format!("http://127.0.0.1:{}", self.port);
        let names = ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];
        let near = ["NO_PROXY", "no_proxy"].map(|name| (name, "localhost,127.0.0.1,::1"));
        let proxies = names.map(|name| (name, url.as_str()));
        let all = proxies.into_iter().chain(near);
        all.map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect()
    }

    /// Passes connections on, for ever. Dropping the future ends none of those that were made; they
    /// end with the process or with their ends.
    pub async fn run(self, way_out: WayOut) -> std::convert::Infallible {
        let tasks = TaskTracker::new();
        let places = Arc::new(Semaphore::new(CONNECTIONS_LIMIT));
        loop {
            // Never closed: it is only dropped.
            let place = Arc::clone(&places).acquire_owned().await.ok();
            match self.listener.accept().await {
                Ok((stream, _address)) => {
                    let way_out = way_out.clone();
                    tasks.spawn(async move {
                        pass(stream, &way_out).await;
                        drop(place);
                    });
                }
                Err(error) => {
                    tracing::warn!(error = %report(&error), "connection to the proxy not accepted");
                    sleep(AFTER_FAILURE).await;
                }
            }
        }
    }
}

async fn pass(mut inside: TcpStream, way_out: &WayOut) {
    match way_out.connect().await {
        Ok(mut outside) => {
            // silent: how a connection ended is the business of its two ends.
            drop(copy_bidirectional(&mut inside, &mut outside).await);
        }
        Err(error) => tracing::debug!(error = %report(&error), "proxy reaches nobody"),
    }
}

#[cfg(test)]
mod tests {
    use camino::Utf8Path;
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::UnixListener,
    };

    use super::*;

    #[tokio::test]
    async fn what_comes_on_the_port_goes_to_the_socket_and_back() {
        let dir = tempfile::tempdir().unwrap();
        let way_out = WayOut::at(Utf8Path::from_path(dir.path()).unwrap());
        let listener = UnixListener::bind(dir.path().join("way-out")).unwrap();
        let proxy = Proxy::bind().await.unwrap();
        let environment = proxy.environment();
        let url = format!("http://127.0.0.1:{}", proxy.port);
        assert!(environment.contains(&("https_proxy".to_owned(), url)));
        let port = proxy.port;
        let host = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut asked = [0; 7];
            stream.read_exact(&mut asked).await.unwrap();
            stream.write_all(b"no way").await.unwrap();
            asked
        };
        let inside = async {
            let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
            stream.write_all(b"CONNECT").await.unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.unwrap();
            answer
        };
        tokio::select! {
            never = proxy.run(way_out) => match never {},
            (asked, answer) = async { tokio::join!(host, inside) } => {
                assert_eq!((&asked, answer.as_str()), (b"CONNECT", "no way"));
            }
        }
    }
}
