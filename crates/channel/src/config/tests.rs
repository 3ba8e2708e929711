use super::*;

#[derive(Debug, PartialEq)]
struct Config {
    token: SecretRef,
    poll: Option<Duration>,
    port: Option<u16>,
    rooms: Option<Vec<String>>,
    proxy: Option<Utf8PathBuf>,
}

fn read(text: &str) -> Result<Config, Vec<String>> {
    let mut reader = TableReader::new(text.parse().unwrap());
    let token = reader.required("token");
    let poll = reader.optional("poll");
    let port = reader.optional("port");
    let rooms = reader.optional("rooms");
    let proxy = reader.table("network", |network| network.required("proxy"));
    let config = token.map(|token| Config {
        token,
        poll,
        port,
        rooms,
        proxy,
    });
    reader
        .finish(config)
        .map_err(|problems| problems.iter().map(ToString::to_string).collect())
}

fn problems(text: &str, expect: &[&str]) {
    let found = read(text).expect_err(text);
    assert_eq!(found, expect, "{text}");
}

#[test]
fn a_good_table_is_read() {
    let text = r#"
        token = "env:TOKEN"
        poll = "30s"
        port = 8080
        rooms = ["a", "b"]
        network = { proxy = "/run/proxy.sock" }
    "#;
    let expect = Config {
        token: SecretRef::Env("TOKEN".into()),
        poll: Some(Duration::from_secs(30)),
        port: Some(8080),
        rooms: Some(vec!["a".into(), "b".into()]),
        proxy: Some("/run/proxy.sock".into()),
    };
    assert_eq!(read(text), Ok(expect));
}

#[test]
fn all_problems_are_found_at_once() {
    problems(
        r#"
            poll = "soon"
            prot = 1
            port = 70000
            rooms = ["a", 2]
            zzz = 1
            network = { porxy = "x" }
        "#,
        &[
            "token: is missing, it has to be `env:NAME` or `file:PATH`",
            "poll: has to be a time like \"30s\" or \"5m\", not this text",
            "port: has to be a whole number from 0 to 65535, not this whole number",
            "rooms: entry 2 has to be text",
            "network.proxy: is missing, it has to be a path",
            "network.porxy: is not a key here, did you mean `proxy`?",
            "prot: is not a key here, did you mean `port`?",
            "zzz: is not a key here",
        ],
    );
}

#[test]
fn an_inline_secret_is_a_problem_that_does_not_repeat_it() {
    problems(
        r#"token = "xoxb-123""#,
        &["token: a secret is given as `env:NAME` or `file:PATH`, never in the file itself"],
    );
    problems(
        "token = 12345",
        &["token: has to be `env:NAME` or `file:PATH`, not this whole number"],
    );
}

#[test]
fn a_value_that_was_not_built_is_a_problem() {
    let reader = TableReader::new(Table::new());
    assert_eq!(
        reader.finish::<()>(None),
        Err(vec![Problem {
            key: vec![],
            what: "the table is not complete".into()
        }])
    );
}

#[test]
fn only_close_keys_are_suggested() {
    let known = ["socket", "token", "rooms"];
    let cases = [
        ("sokcet", Some("socket")),
        ("Token", Some("token")),
        ("room", Some("rooms")),
        ("x", None),
        ("completely", None),
    ];
    for (key, expect) in cases {
        assert_eq!(suggestion(key, &known), expect, "{key}");
    }
    assert_eq!(suggestion(&"x".repeat(65), &known), None);
}
