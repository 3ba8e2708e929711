use std::sync::Arc;

use super::*;
use crate::{
    egress::{Egress, Entry},
    ways::Model,
};

fn ways() -> Ways {
    Ways {
        model: Some(Arc::new(Model {
            id: "m".to_owned(),
            api: ModelApi::Anthropic,
            base_url: "https://api.example.org".to_owned(),
            key: None,
            prices: None,
        })),
        egress: Egress::new(vec![Entry::parse("example.org").unwrap()]),
    }
}

fn path(path: &str) -> Target<'_> {
    match path.split_once('?') {
        Some((path, query)) => Target::Path {
            path,
            query: Some(query),
        },
        None => Target::Path { path, query: None },
    }
}

fn facts<'a>(method: &'a str, target: Target<'a>) -> Facts<'a> {
    Facts {
        method,
        target,
        hosts: Vec::new(),
        fetch: None,
    }
}

fn rule(facts: &Facts<'_>, ways: &Ways) -> Option<Rule> {
    judge(facts, ways).err().map(|refusal| refusal.rule)
}

#[test]
fn a_session_without_ways_reaches_nothing() {
    let none = Ways::default();
    let check = |method, target, expect| {
        assert_eq!(rule(&facts(method, target), &none), Some(expect));
    };
    check("POST", path("/model/v1/messages"), Rule::NoModel);
    check(
        "CONNECT",
        Target::Authority("example.org:443"),
        Rule::EgressList,
    );
    check("GET", Target::Absolute, Rule::PlainHttp);
    check("GET", path("/"), Rule::NoSuchPlace);
}

#[test]
fn only_calls_of_the_configured_api_are_relayed() {
    let check = |method, target, expect: Result<(CallKind, Option<&str>), Rule>| {
        let judged = judge(&facts(method, target), &ways());
        let expect = expect.map(|(kind, query)| {
            Allowed::Model(Call {
                kind,
                query: query.map(str::to_owned),
            })
        });
        assert_eq!(judged.map_err(|refusal| refusal.rule), expect);
    };
    check(
        "POST",
        path("/model/v1/messages"),
        Ok((CallKind::Messages, None)),
    );
    check(
        "POST",
        path("/model/v1/messages?beta=true"),
        Ok((CallKind::Messages, Some("beta=true"))),
    );
    check(
        "POST",
        path("/model/v1/messages/count_tokens"),
        Ok((CallKind::CountTokens, None)),
    );
    check("GET", path("/model/v1/messages"), Err(Rule::ModelCall));
    check(
        "POST",
        path("/model/chat/completions"),
        Err(Rule::ModelCall),
    );
    check(
        "DELETE",
        path("/model/v1/files/file_1"),
        Err(Rule::ModelCall),
    );
    check(
        "GET",
        path("/model/v1/organizations/users"),
        Err(Rule::ModelCall),
    );
    check(
        "POST",
        path("/model/v1/messages/../files"),
        Err(Rule::ModelCall),
    );
    check("POST", path("/model/v1/messages/"), Err(Rule::ModelCall));
    check("POST", path("/model//v1/messages"), Err(Rule::ModelCall));
    check("POST", path("/model/v1/messages%2f"), Err(Rule::ModelCall));
    check("POST", path("/modelx"), Err(Rule::ModelCall));
    check(
        "POST",
        path("/model/v1/messages?a=%0d%0a"),
        Err(Rule::Malformed),
    );
}

#[test]
fn tunnels_lead_to_listed_hosts_only() {
    let check = |authority, hosts: &[&'static str], expect: Option<Rule>| {
        let facts = Facts {
            hosts: hosts.to_vec(),
            ..facts("CONNECT", Target::Authority(authority))
        };
        assert_eq!(rule(&facts, &ways()), expect, "{authority} {hosts:?}");
    };
    check("example.org:443", &[], None);
    check("example.org:443", &["example.org:443"], None);
    check("example.org:443", &["example.org"], None);
    check("example.org:443", &["other.org:443"], Some(Rule::Malformed));
    check(
        "example.org:443",
        &["example.org:443", "example.org:443"],
        Some(Rule::Malformed),
    );
    check("example.org:80", &[], Some(Rule::EgressList));
    check("other.org:443", &[], Some(Rule::EgressList));
    check("127.0.0.1:443", &[], Some(Rule::EgressList));
    check("169.254.169.254:80", &[], Some(Rule::EgressList));
    check("example.org", &[], Some(Rule::Malformed));
    check("user@example.org:443", &[], Some(Rule::Malformed));
    check("example.org:443@evil:443", &[], Some(Rule::Malformed));
    assert_eq!(
        rule(&facts("GET", Target::Authority("example.org:443")), &ways()),
        Some(Rule::Malformed)
    );
    assert_eq!(
        rule(&facts("CONNECT", path("/model")), &ways()),
        Some(Rule::Malformed)
    );
}

#[test]
fn pages_of_listed_hosts_are_fetched() {
    let url = FetchUrl {
        scheme: "https",
        host: "example.org",
        port: None,
        credentials: false,
    };
    let check = |method, fetch: Option<FetchUrl<'static>>, expect: Option<Rule>| {
        let facts = Facts {
            fetch,
            ..facts(method, path(FETCH_PATH))
        };
        assert_eq!(rule(&facts, &ways()), expect, "{fetch:?}");
    };
    check("GET", Some(url), None);
    check("POST", Some(url), Some(Rule::Malformed));
    check("GET", None, Some(Rule::Malformed));
    check(
        "GET",
        Some(FetchUrl {
            scheme: "http",
            ..url
        }),
        Some(Rule::PlainHttp),
    );
    check(
        "GET",
        Some(FetchUrl {
            scheme: "file",
            ..url
        }),
        Some(Rule::PlainHttp),
    );
    check(
        "GET",
        Some(FetchUrl {
            host: "evil.org",
            ..url
        }),
        Some(Rule::EgressList),
    );
    check(
        "GET",
        Some(FetchUrl {
            port: Some(22),
            ..url
        }),
        Some(Rule::EgressList),
    );
    check(
        "GET",
        Some(FetchUrl {
            credentials: true,
            ..url
        }),
        Some(Rule::Malformed),
    );
}
