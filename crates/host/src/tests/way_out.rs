//! What a sandbox reaches through the host, and what of it is on record.

use anchorhold_admin::request::Reply;
use anchorhold_core::sandbox::ExitStatus;
use anchorhold_fake_models::{Act, FakeModels};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::UnixStream,
};

use super::*;
use crate::app::reload::{Watched, reload};

const KEY: &str = "canary-key-0815";

/// The environment of the tests' hosts.
pub(super) fn variable(name: &str) -> Option<String> {
    (name == "MODEL_KEY").then(|| KEY.to_owned())
}

fn config(address: std::net::SocketAddr, more: &str) -> String {
    format!(
        "{}\n[models.m]\nprovider = \"anthropic\"\nmodel = \"m-1\"\nkey = \"env:MODEL_KEY\"\n\
         base_url = \"http://{address}\"\nmax_output_tokens = 1000\n\
         [models.m.prices]\ninput = 1\noutput = 2\ncache_read = 0.1\n{more}",
        PLAIN.replace("provider = \"offline\"", "model = \"m\""),
    )
}

fn call(model: &str) -> String {
    let text = json!({"type": "text", "text": "words of a person"});
    let content = json!({
        "model": model,
        "max_tokens": 9,
        "messages": [{"role": "user", "content": [text]}],
    })
    .to_string();
    format!(
        "POST /model/v1/messages HTTP/1.1\r\nhost: way-out\r\nanthropic-version: 2023-06-01\r\n\
         x-anchorhold-turn: 2\r\nx-api-key: mine\r\nconnection: close\r\n\
         content-length: {}\r\n\r\n{content}",
        content.len()
    )
}

/// Says this on the way out, and gives the answer; `None` where nobody listens.
async fn ask(inside: &Inside, request: &str) -> Option<String> {
    let socket = inside.in_dir.join("way-out");
    let mut stream = UnixStream::connect(socket).await.ok()?;
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    Some(answer)
}

async fn rows(host: &Host, resource: &str, verb: &str, fields: &[(&str, &str)]) -> Vec<Vec<Value>> {
    let reply = host.admin(resource, verb, fields).await;
    let Reply::Rows { rows, .. } = reply else {
        panic!("{reply:?}")
    };
    rows
}

/// Waits until so many requests are on record.
async fn until_recorded(host: &Host, count: usize) -> Vec<Vec<Value>> {
    until("requests are on record", async || {
        let all = rows(host, "requests", "list", &[("all", "true")]).await;
        (all.len() >= count).then_some(all)
    })
    .await
}

#[tokio::test]
async fn a_call_goes_out_with_the_key_and_leaves_a_record_without_its_words() {
    let fake = FakeModels::new([Act::Say("hello".to_owned())]);
    let address = fake.listen().await.unwrap();
    let mut host = Host::new(&config(address, "")).await;
    host.stored("m1").await;
    let mut inside = host.enter().await;
    let answer = ask(&inside, &call("m-1")).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(answer.contains("hello"), "{answer}");
    let asked = fake.asked().remove(0);
    let key = asked.headers.iter().find(|(name, _)| name == "x-api-key");
    assert_eq!(key.map(|(_, value)| value.as_str()), Some(KEY));
    let refused = ask(&inside, &call("m-2")).await.unwrap();
    assert!(
        refused.contains("x-anchorhold-rule: model-name\r\n"),
        "{refused}"
    );
    until_recorded(&host, 2).await;
    let session = host.session().await.to_string();
    let spent = rows(&host, "spend", "", &[("by", "turn")]).await;
    let (calls, failed) = (&spent[0][5], &spent[0][6]);
    assert_eq!(
        (&spent[0][0], &spent[0][1]),
        (&json!("helper"), &json!(session))
    );
    assert_eq!(
        (&spent[0][2], calls, failed),
        (&json!(2), &json!(2), &json!(1))
    );
    // 10 at 1, 20 at 2, 100 at 0.1 and 5 at 1 dollar a million.
    assert_eq!(spent[0].last(), Some(&json!("0.000065")));
    let listed = rows(&host, "requests", "list", &[("group", "helper")]).await;
    assert_eq!(listed.len(), 1, "{listed:?}");
    assert!(listed[0].contains(&json!("model-name")), "{listed:?}");
    inside.answer();
    host.until_seen(&address_of_chat(), 1).await;
    let bench = host.stop().await;
    assert_nowhere(&bench, KEY);
    let central = fs::read(bench.path("data").join("anchorhold.db")).unwrap();
    assert!(!contains(&central, b"words of a person"));
}

fn address_of_chat() -> Address {
    address("c")
}

fn contains(content: &[u8], word: &[u8]) -> bool {
    content.windows(word.len()).any(|window| window == word)
}

/// No file of the installation has this word.
fn assert_nowhere(bench: &Bench, word: &str) {
    let mut folders = vec![bench.path("data")];
    let mut looked = 0;
    while let Some(folder) = folders.pop() {
        for entry in folder.read_dir_utf8().unwrap() {
            let path = entry.unwrap().into_path();
            if path.is_dir() {
                folders.push(path);
            } else if path.is_file() {
                looked += 1;
                let content = fs::read(&path).unwrap();
                assert!(!contains(&content, word.as_bytes()), "{path}");
            }
        }
    }
    assert!(looked > 3, "{looked} files");
}

#[tokio::test]
async fn the_way_out_is_closed_with_its_sandbox_and_opened_by_the_next_host() {
    let fake = FakeModels::new([]);
    let address = fake.listen().await.unwrap();
    let mut host = Host::new(&config(address, "")).await;
    host.stored("m1").await;
    let inside = host.enter().await;
    ask(&inside, &call("m-1")).await.unwrap();
    // A new host takes the running sandbox over, with its way out.
    drop(host.graph);
    let host = host.bench.start().await;
    until("the way out is open again", async || {
        let answer = ask(&inside, &call("m-1")).await?;
        answer.starts_with("HTTP/1.1 200").then_some(())
    })
    .await;
    let in_dir = inside.in_dir.clone();
    inside.die(ExitStatus::Code(0));
    until("the way out is closed", async || {
        let socket = in_dir.join("way-out");
        UnixStream::connect(socket).await.is_err().then_some(())
    })
    .await;
    drop(host);
}

/// A changed configuration once counted only after a restart by hand.
#[tokio::test]
async fn defect_61_a_changed_model_and_list_count_at_once() {
    let fake = FakeModels::new([]);
    let address = fake.listen().await.unwrap();
    let mut host = Host::new(&config(address, "")).await;
    host.stored("m1").await;
    let inside = host.enter().await;
    let tunnel = format!("CONNECT {address} HTTP/1.1\r\nhost: {address}\r\n\r\n");
    let refused = ask(&inside, &tunnel).await.unwrap();
    assert!(refused.contains("egress-list"), "{refused}");
    let text = config(address, "").replace("\"m-1\"", "\"m-2\"").replace(
        "model = \"m\"",
        &format!("model = \"m\"\negress = [\"{address}\"]"),
    );
    let before = fs::read(&host.bench.config).unwrap();
    let mut file = Watched::new(host.bench.config.clone(), before);
    fs::write(&host.bench.config, text).unwrap();
    reload(&host.graph, &mut file).await;
    let refused = ask(&inside, &call("m-1")).await.unwrap();
    assert!(refused.contains("this agent has m-2"), "{refused}");
    let answer = ask(&inside, &call("m-2")).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    // The sandbox is told of it, too.
    let files = host.graph.base.files(inside.id.session);
    let told = sql(&files.in_dir().join("inbound.db"));
    let body: String = told
        .query_row("SELECT body FROM settings", [], |row| row.get(0))
        .unwrap();
    let body: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(body["model"], "m-2");
    assert_eq!(body["model_options"], json!({"max_output_tokens": 1000}));
    let socket = inside.in_dir.join("way-out");
    let mut stream = UnixStream::connect(socket).await.unwrap();
    stream.write_all(tunnel.as_bytes()).await.unwrap();
    let mut head = [0; 15];
    stream.read_exact(&mut head).await.unwrap();
    assert_eq!(&head, b"HTTP/1.1 200 OK");
}

#[tokio::test]
async fn a_key_that_is_not_to_be_had_is_told_with_its_line() {
    let bench = Bench::new(&config("127.0.0.1:9".parse().unwrap(), ""));
    let text = fs::read_to_string(&bench.config).unwrap();
    fs::write(&bench.config, text.replace("MODEL_KEY", "NO_KEY")).unwrap();
    let (config, _text) = settings::read(&bench.config).unwrap();
    let secrets = SecretSource {
        env: Box::new(variable),
        file: Box::new(|_path| Err(io::ErrorKind::NotFound.into())),
    };
    let failure = crate::models::Given::read(&config, &secrets).unwrap_err();
    let told = failure.to_string();
    assert!(told.contains("models.m.key: "), "{told}");
    assert!(told.contains("NO_KEY"), "{told}");
    assert!(told.ends_with("(line 16)"), "{told}");
}

#[tokio::test]
async fn an_agent_made_at_run_time_takes_over_its_models_provider() {
    let host = Host::new(&config("127.0.0.1:9".parse().unwrap(), "")).await;
    let fields = [("folder", "second"), ("model", "m")];
    let made = host.admin("groups", "create", &fields).await;
    assert!(matches!(made, Reply::Done { .. }), "{made:?}");
    let group = host.store().groups().await.unwrap().pop().unwrap();
    assert_eq!(
        (group.provider.as_str(), group.model.as_deref()),
        ("anthropic", Some("m"))
    );
    for (fields, why) in [
        (
            &[("folder", "x"), ("model", "none")][..],
            "the configuration has no model \"none\"; it has: m",
        ),
        (
            &[("folder", "x"), ("provider", "openai")],
            "the provider \"openai\" needs a model",
        ),
        (
            &[("folder", "x"), ("provider", "openai"), ("model", "m")],
            "the model \"m\" has the provider \"anthropic\", not \"openai\"",
        ),
    ] {
        let reply = host.admin("groups", "create", fields).await;
        let Reply::Failed { what, .. } = reply else {
            panic!("{reply:?}")
        };
        assert_eq!(what, why);
    }
}
