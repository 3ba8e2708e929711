//! One page of a listed host, fetched by the host for an inside that has no TLS.

use std::{sync::Arc, time::Duration};

use anchorhold_core::way_out::FETCH_HEADER;
use hyper::{
    HeaderMap, Request, Response,
    body::Incoming,
    header::{ACCEPT, CONTENT_TYPE, LOCATION},
};
use reqwest::{Client, Url, redirect::Policy};

use crate::{
    answer::{Body, Entry, refused, unreachable},
    connect::{NoWay, addresses},
    egress::{Destination, Egress},
    record::Outcome,
    relay::{Passing, passing},
    server::Line,
};

const CONNECT_TIME: Duration = Duration::from_secs(10);
/// How long a page may take altogether.
const PAGE_TIME: Duration = Duration::from_mins(1);
const AGENT: &str = concat!("anchorhold/", env!("CARGO_PKG_VERSION"));
/// Headers that come back. Where a page leads elsewhere, that is asked for and judged anew.
const INWARD: &[hyper::header::HeaderName] = &[CONTENT_TYPE, LOCATION];

/// The URL that a request asks for, if it can be read as one.
pub(crate) fn url(headers: &HeaderMap) -> Option<Url> {
    Url::parse(headers.get(FETCH_HEADER)?.to_str().ok()?).ok()
}

/// Fetches a page, and answers with it.
pub(crate) async fn page(
    line: &Arc<Line>,
    mut entry: Entry,
    request: &Request<Incoming>,
    (to, egress): (Destination, Egress),
) -> Response<Body> {
    let Some(url) = url(request.headers()) else {
        return unreachable("there is no URL");
    };
    let pinned = match addresses(&to, &egress).await {
        Ok(pinned) => pinned,
        Err(NoWay::Refused(refusal)) => {
            entry.outcome(Outcome::Refused(refusal.rule));
            return refused(&refusal);
        }
        Err(NoWay::Unreachable(what)) => {
            entry.outcome(Outcome::Unreachable);
            return unreachable(what);
        }
    };
    // A client of its own, so that nobody else's pinned addresses or connections are used.
    let client = Client::builder()
        .no_proxy()
        .redirect(Policy::none())
        .connect_timeout(CONNECT_TIME)
        .timeout(PAGE_TIME)
        .user_agent(AGENT)
        .resolve_to_addrs(url.host_str().unwrap_or_default(), &pinned)
        .build();
    let accept = request.headers().get(ACCEPT).cloned();
    let answer = match client {
        Ok(client) => {
            let mut asked = client.get(url);
            if let Some(accept) = accept {
                asked = asked.header(ACCEPT, accept);
            }
            asked.send().await
        }
        Err(failure) => Err(failure),
    };
    let answer = match answer {
        Ok(answer) => answer,
        Err(failure) => {
            let (session, error) = (line.session(), crate::report(&failure.without_url()));
            tracing::debug!(%session, error, "page not fetched");
            entry.outcome(Outcome::Unreachable);
            return unreachable("the host does not answer, or not in a way that can be trusted");
        }
    };
    let status = answer.status();
    entry.outcome(Outcome::Answered(status.as_u16()));
    let mut headers = HeaderMap::new();
    for name in INWARD {
        if let Some(value) = answer.headers().get(name) {
            headers.insert(name.clone(), value.clone());
        }
    }
    let mut response = Response::new(passing(Passing {
        from: Box::pin(answer.bytes_stream()),
        tap: None,
        entry,
        model: None,
    }));
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}
