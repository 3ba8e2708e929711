//! Which hosts a session may reach, and which addresses nobody reaches by a name.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

/// The most entries of one list.
pub const ENTRIES_LIMIT: usize = 256;
/// The port of an entry that names none.
const HTTPS: u16 = 443;
/// The longest name of a host, in bytes; the domain name system sets it.
const NAME_LIMIT_BYTES: usize = 253;
const LABEL_LIMIT_BYTES: usize = 63;

/// The hosts that a session may reach.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Egress(Vec<Entry>);

/// One entry: `example.org`, `*.example.org`, `example.org:8443`, `192.0.2.7:8080`, `[2001:db8::1]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pattern: Pattern,
    port: u16,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Pattern {
    /// This host.
    Name(String),
    /// Every host below this one, and not the one itself.
    Below(String),
    /// This address.
    Address(IpAddr),
}

/// A host and port that something inside wants to reach.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Destination {
    /// The host.
    pub host: Host,
    /// The port.
    pub port: u16,
}

/// A host by name or address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Host {
    /// A name, in lower case.
    Name(String),
    /// An address.
    Address(IpAddr),
}

/// Why a text is no entry of the list, or no destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EgressError {
    /// Neither name nor address.
    #[error(
        "is no host: write a name such as \"example.org\", \"*.example.org\" or an address, with \":PORT\" where it is not 443"
    )]
    NoHost,
    /// The port is none.
    #[error("has no port from 1 to 65535 after the colon")]
    NoPort,
}

impl Egress {
    /// A list; [`ENTRIES_LIMIT`] is for whoever reads one from a file.
    pub fn new(entries: Vec<Entry>) -> Self {
        Self(entries)
    }

    /// Is this destination on the list? What it resolves to is judged by [`Egress::reaches`].
    pub fn lists(&self, to: &Destination) -> bool {
        self.0.iter().any(|entry| {
            entry.port == to.port
                && match (&entry.pattern, &to.host) {
                    (Pattern::Name(name), Host::Name(host)) => name == host,
                    (Pattern::Below(zone), Host::Name(host)) => host
                        .strip_suffix(zone.as_str())
                        .and_then(|rest| rest.strip_suffix('.'))
                        .is_some_and(|rest| !rest.is_empty()),
                    (Pattern::Address(address), Host::Address(host)) => address == host,
                    (Pattern::Name(_) | Pattern::Below(_), Host::Address(_))
                    | (Pattern::Address(_), Host::Name(_)) => false,
                }
        })
    }

    /// May a connection be made to this address and port? To a public one always: the name was
    /// judged. To any other only where the list has the address itself.
    pub fn reaches(&self, address: IpAddr, port: u16) -> bool {
        let address = plain(address);
        let listed = |entry: &Entry| {
            entry.port == port && matches!(&entry.pattern, Pattern::Address(a) if *a == address)
        };
        is_public(address) || self.0.iter().any(listed)
    }
}

impl Entry {
    /// The entry that `text` spells.
    pub fn parse(text: &str) -> Result<Self, EgressError> {
        let (zone, rest) = match text.strip_prefix("*.") {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let Destination { host, port } = split(rest, Some(HTTPS))?;
        let pattern = match host {
            Host::Name(name) if zone => Pattern::Below(name),
            Host::Name(name) => Pattern::Name(name),
            Host::Address(_) if zone => return Err(EgressError::NoHost),
            Host::Address(address) => Pattern::Address(address),
        };
        Ok(Self { pattern, port })
    }
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.pattern {
            Pattern::Name(name) => f.write_str(name)?,
            Pattern::Below(zone) => write!(f, "*.{zone}")?,
            Pattern::Address(IpAddr::V4(address)) => write!(f, "{address}")?,
            Pattern::Address(IpAddr::V6(address)) => write!(f, "[{address}]")?,
        }
        match self.port {
            HTTPS => Ok(()),
            port => write!(f, ":{port}"),
        }
    }
}

impl Destination {
    /// The destination of a `CONNECT`: `host:port`, and nothing beside it.
    pub fn parse(authority: &str) -> Result<Self, EgressError> {
        split(authority, None)
    }

    /// The destination of a URL whose scheme is `https`.
    pub fn of_https(host: &str, port: Option<u16>) -> Result<Self, EgressError> {
        let mut to = split(host, Some(HTTPS))?;
        to.port = port.unwrap_or(HTTPS);
        Ok(to)
    }
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            Host::Name(name) => write!(f, "{name}:{}", self.port),
            Host::Address(IpAddr::V4(address)) => write!(f, "{address}:{}", self.port),
            Host::Address(IpAddr::V6(address)) => write!(f, "[{address}]:{}", self.port),
        }
    }
}

fn split(text: &str, default: Option<u16>) -> Result<Destination, EgressError> {
    let (host, port) = if let Some(rest) = text.strip_prefix('[') {
        let (address, rest) = rest.split_once(']').ok_or(EgressError::NoHost)?;
        let address: Ipv6Addr = address.parse().map_err(|_none| EgressError::NoHost)?;
        let port = match rest {
            "" => None,
            rest => Some(rest.strip_prefix(':').ok_or(EgressError::NoPort)?),
        };
        (Host::Address(plain(address.into())), port)
    } else {
        let (host, port) = match text.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        };
        (name_or_v4(host)?, port)
    };
    let port = match port {
        Some(port) => read_port(port)?,
        None => default.ok_or(EgressError::NoPort)?,
    };
    Ok(Destination { host, port })
}

fn read_port(text: &str) -> Result<u16, EgressError> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let port = text.parse().ok().filter(|port| digits && *port > 0);
    port.ok_or(EgressError::NoPort)
}

fn name_or_v4(text: &str) -> Result<Host, EgressError> {
    if let Ok(address) = text.parse::<Ipv4Addr>() {
        return Ok(Host::Address(address.into()));
    }
    let label = |label: &str| {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        (1..=LABEL_LIMIT_BYTES).contains(&label.len()) && label.bytes().all(plain)
    };
    // `127.1` and `0x7f000001` are addresses to a resolver, and no name ends in a number.
    let last = text.rsplit('.').next().unwrap_or_default();
    let ends_in_number = last.starts_with(|c: char| c.is_ascii_digit());
    if text.len() > NAME_LIMIT_BYTES || ends_in_number || !text.split('.').all(label) {
        return Err(EgressError::NoHost);
    }
    Ok(Host::Name(text.to_ascii_lowercase()))
}

/// An address of the older kind that is written as one of the newer is taken for what it is.
fn plain(address: IpAddr) -> IpAddr {
    address.to_canonical()
}

/// Is this an address of the internet at large? Loopback, link-local (where clouds keep their
/// metadata), private, shared, multicast, reserved and documentation addresses are not.
pub fn is_public(address: IpAddr) -> bool {
    match plain(address) {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    !matches!(
        (a, b, c),
        (0 | 10 | 127 | 224..=255, _, _)
            | (100, 64..=127, _)
            | (169, 254, _)
            | (172, 16..=31, _)
            | (192, 0, 0 | 2)
            | (192, 88, 99)
            | (192, 168, _)
            | (198, 18..=19, _)
            | (198, 51, 100)
            | (203, 0, 113)
    )
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let [first, second, zeros @ .., high, low] = address.segments();
    match (first, second) {
        // A translated address of the older kind is judged as that one.
        (0x64, 0xff9b) if zeros == [0; 4] => {
            is_public_v4(Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low)))
        }
        // Set aside for protocols, for documentation, and for tunnels that hide another address.
        (0x2001, 0..=0x01ff | 0x0db8) | (0x2002, _) | (0x3fff, 0..=0x0fff) => false,
        (0x2000..=0x3fff, _) => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests;
