//! An agent with a model: from a person to a stand-in for the model, through host, sandbox and broker.

use std::fs;

use anchorhold_fake_models::{Act, FakeModels};
use camino::Utf8PathBuf;
use serde_json::{Value, json};

use crate::e2e::{
    harness::{HOST_SECRET, Place},
    wall::Wall,
};

/// In a file of the host, so that it can be looked for inside.
const FILE_SECRET: &str = "canary-in-a-file-4711";

/// Two agents with a model each, one over each API, and each with a key.
async fn two_models(wall: Wall, script: [&[Act]; 2]) -> (Place, [FakeModels; 2]) {
    let place = Place::new(wall, "");
    let fakes = script.map(|script| FakeModels::new(script.to_vec()));
    let mut text = place.head();
    fs::write(place.path("key"), format!("{FILE_SECRET}\n")).unwrap();
    let keys = [
        format!("env:{}", HOST_SECRET.0),
        format!("file:{}", place.path("key")),
    ];
    for ((provider, fake), key) in ["anthropic", "openai"].iter().zip(&fakes).zip(keys) {
        let address = fake.listen().await.unwrap();
        let tables = format!(
            "\n[models.{provider}]\nprovider = \"{provider}\"\nmodel = \"m-1\"\nkey = \"{key}\"\n\
             base_url = \"http://{address}\"\nprices = {{ input = 1, output = 2 }}\n\
             [agents.{provider}]\nmodel = \"{provider}\"\n\
             [[wirings]]\nchannel = \"cli\"\nchat = \"{provider}\"\nagent = \"{provider}\"\n"
        );
        text.push_str(&tables);
    }
    place.configure(&text);
    (place, fakes)
}

fn bash(cmd: &str) -> Act {
    Act::Call(vec![("bash", json!({ "cmd": cmd }))])
}

pub(crate) async fn a_model_answers_and_its_key_stays_outside(wall: Wall) {
    // Written so that the command itself is not what is found.
    let look = "env; cat /proc/[0-9]*/environ /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' '\\n'; \
                grep -rl -e 'of the ho''st alone' -e canary-in-a-''file \
                /anchorhold /workspace /tmp /etc /proc/[0-9]*/environ 2>/dev/null; echo looked";
    let script = [bash(look), Act::Say("I looked.".to_owned())];
    let (mut place, fakes) = two_models(wall, [&script, &script]).await;
    place.start().await;
    for (provider, fake) in ["anthropic", "openai"].iter().zip(&fakes) {
        let mut person = place.person(provider).await;
        let answer = person.ask("What do you see?").await;
        assert_eq!(answer, "agent: I looked.", "{}", place.log());
        let asked = fake.asked();
        let secrets = [HOST_SECRET.1, FILE_SECRET];
        // The key is put in on the way, and is in nothing else.
        let has_key = |(_, value): &(String, String)| secrets.iter().any(|key| value.contains(key));
        assert!(asked[0].headers.iter().any(has_key), "{provider}");
        for call in &asked {
            let said = call.content.to_string();
            assert!(
                secrets.iter().all(|key| !said.contains(key)),
                "{provider}: {said}"
            );
        }
        assert!(
            asked[1].content.to_string().contains("looked"),
            "{provider}"
        );
    }
    let spent = place.rows(&["spend", "--by", "turn"]).await;
    assert_eq!(spent.len(), 2, "{spent:?}");
    for row in &spent {
        assert_eq!(
            (&row["calls"], &row["failed"]),
            (&json!(2), &json!(0)),
            "{row}"
        );
        assert_eq!(
            (&row["output"], &row["turn"]),
            (&json!(40), &json!(2)),
            "{row}"
        );
        assert!(row["cost_usd"].is_string(), "{row}");
    }
    place.stop().await;
    for secret in [HOST_SECRET.1, FILE_SECRET] {
        assert_eq!(files_with(&place, secret), Vec::<Utf8PathBuf>::new());
    }
    assert!(!place.log().contains(FILE_SECRET));
}

/// The files of the data directory, the logs of sandboxes included, that have this word.
pub(crate) fn files_with(place: &Place, word: &str) -> Vec<Utf8PathBuf> {
    let mut folders = vec![place.data()];
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in folder.read_dir_utf8().unwrap() {
            let path = entry.unwrap().into_path();
            if path.is_symlink() {
                continue;
            }
            if path.is_dir() {
                folders.push(path);
            } else if path.is_file() {
                let content = fs::read(&path).unwrap();
                let has = |window: &[u8]| window == word.as_bytes();
                if content.windows(word.len()).any(has) {
                    found.push(path);
                }
            }
        }
    }
    found
}

pub(crate) async fn what_is_not_on_the_list_is_refused_and_on_record(wall: Wall) {
    let fetch = (
        "web_fetch",
        json!({"url": "https://example.org/secret?q=words"}),
    );
    let ask = "exec 3<>/dev/tcp/127.0.0.1/${https_proxy##*:}; \
               printf 'CONNECT 169.254.169.254:80 HTTP/1.1\\r\\n\\r\\n' >&3; head -n 1 <&3";
    let calls = Act::Call(vec![fetch, ("bash", json!({ "cmd": ask }))]);
    let script = [calls, Act::Say("Refused.".to_owned())];
    let (mut place, fakes) = two_models(wall, [&script, &[]]).await;
    place.start().await;
    let mut person = place.person("anthropic").await;
    let answer = person.ask("Go there.").await;
    assert_eq!(answer, "agent: Refused.", "{}", place.log());
    let told = fakes[0].asked()[1].content.to_string();
    assert!(told.contains("refused by rule egress-list"), "{told}");
    assert!(told.contains("HTTP/1.1 403 Forbidden"), "{told}");
    let refused = place
        .rows(&["requests", "list", "--group", "anthropic"])
        .await;
    let hosts: Vec<&Value> = refused.iter().map(|row| &row["rule"]).collect();
    assert_eq!(hosts, ["egress-list", "egress-list"]);
    assert!(!format!("{refused:?}").contains("words"), "{refused:?}");
    place.stop().await;
}
