//! A connection to an allowed destination: resolved here, judged by address, and pinned to it.

use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use tokio::{
    net::{TcpStream, lookup_host},
    sync::Semaphore,
    time::timeout,
};

use crate::{
    egress::{Destination, Egress, Host},
    refusal::{Refusal, Rule},
};

/// How long finding the addresses of a name may take.
const LOOKUP_TIME: Duration = Duration::from_secs(5);
/// How long one address may take to answer.
const CONNECT_TIME: Duration = Duration::from_secs(10);
/// How many addresses of one name are tried.
const ADDRESSES_LIMIT: usize = 4;
/// How many names are looked up at the same time: each holds a thread, however long it takes.
static LOOKUPS: Semaphore = Semaphore::const_new(32);

/// Why there is no connection.
#[derive(Debug)]
pub(crate) enum NoWay {
    /// A rule is against it.
    Refused(Refusal),
    /// It does not answer, or has no address.
    Unreachable(&'static str),
}

/// The addresses of a destination that may be reached, in the resolver's order.
pub(crate) async fn addresses(to: &Destination, egress: &Egress) -> Result<Vec<SocketAddr>, NoWay> {
    let found = match &to.host {
        Host::Address(address) => vec![*address],
        Host::Name(name) => lookup(name, to.port).await?,
    };
    let unknown = found.is_empty();
    let reached = found
        .into_iter()
        .filter(|address| egress.reaches(*address, to.port))
        .map(|address| SocketAddr::new(address, to.port))
        .take(ADDRESSES_LIMIT);
    let reached: Vec<SocketAddr> = reached.collect();
    if unknown {
        return Err(NoWay::Unreachable("the host has no address"));
    }
    if reached.is_empty() {
        return Err(NoWay::Refused(Rule::PrivateAddress.refuses(to.to_string())));
    }
    Ok(reached)
}

async fn lookup(name: &str, port: u16) -> Result<Vec<IpAddr>, NoWay> {
    let failed = || NoWay::Unreachable("the host's name can't be resolved");
    let looked = timeout(LOOKUP_TIME, async {
        let _place = LOOKUPS.acquire().await.map_err(|_closed| failed())?;
        let found = lookup_host((name, port)).await.map_err(|_none| failed())?;
        Ok(found.map(|found| found.ip()).collect())
    });
    looked.await.map_err(|_elapsed| failed())?
}

/// A connection to the first of the destination's addresses that answers.
pub(crate) async fn connect(to: &Destination, egress: &Egress) -> Result<TcpStream, NoWay> {
    for address in addresses(to, egress).await? {
        if let Ok(Ok(stream)) = timeout(CONNECT_TIME, TcpStream::connect(address)).await {
            // silent: it works without, a little slower.
            drop(stream.set_nodelay(true));
            return Ok(stream);
        }
    }
    Err(NoWay::Unreachable("the host does not answer"))
}
