//! Programs of others as agents: from a person to a stand-in for the model, and back.
//!
//! What a case needs is in its environment: `ANCHORHOLD_CLAUDE_CODE`, the program.

use std::fs;

use anchorhold_fake_models::{Act, FakeModels};
use camino::Utf8PathBuf;
use serde_json::json;

use crate::e2e::{
    harness::{HOST_SECRET, Place, told},
    models::files_with,
    wall::Wall,
};

pub(crate) async fn harness_claude_code_answers_through_the_whole_path(wall: Wall) {
    // Written so that the command itself is not what is found.
    let look = "cat /proc/[0-9]*/environ | tr '\\0' '\\n'; \
                grep -rl 'of the ho''st alone' /anchorhold/in /anchorhold/out /workspace /tmp /etc \
                2>/dev/null; head -c 20 /dev/tcp/1.1.1.1/443; echo looked >> log; cat log";
    let call = Act::Call(vec![("Bash", json!({ "command": look }))]);
    let send = (
        "mcp__anchorhold__send_message",
        json!({ "text": "I am looking." }),
    );
    let send = Act::Call(vec![send]);
    let fake = FakeModels::new([send, call, Act::Say("I looked.".to_owned())]);
    let address = fake.listen().await.unwrap();
    let mut place = Place::new(wall, "");
    let program: Utf8PathBuf = told("ANCHORHOLD_CLAUDE_CODE").unwrap().into();
    let text = format!(
        "{}\n[models.m]\nprovider = \"anthropic\"\nmodel = \"m-1\"\nkey = \"env:{}\"\n\
         base_url = \"http://{address}\"\nprices = {{ input = 1, output = 2 }}\n\
         [harnesses.claude]\nprovider = \"claude-code\"\nfolder = \"{}\"\n\
         [agents.helper]\nmodel = \"m\"\nharness = \"claude\"\n\
         [agents.helper.limits]\nmemory = \"2GiB\"\n\
         [[wirings]]\nchannel = \"cli\"\nchat = \"*\"\nagent = \"helper\"\n",
        place.head(),
        HOST_SECRET.0,
        program.parent().unwrap(),
    );
    place.configure(&text);
    place.start().await;
    let mut person = place.person("c1").await;
    let answer = person.ask("What do you see?").await;
    assert_eq!(answer, "agent: I am looking.", "{}", place.log());
    let lines = person.hears(2).await;
    assert_eq!(lines[1], "agent: I looked.", "{}", place.log());
    fake.then([Act::Say("And again.".to_owned())]);
    let answer = person.ask("And now?").await;
    assert_eq!(answer, "agent: And again.", "{}", place.log());
    let asked = fake.asked();
    assert_eq!(asked.len(), 4);
    for call in &asked {
        let is_key =
            |(name, value): &(String, String)| name == "x-api-key" && value == HOST_SECRET.1;
        assert!(call.headers.iter().any(is_key), "{:?}", call.headers);
        assert!(!call.content.to_string().contains(HOST_SECRET.1));
    }
    let found = asked[2].content["messages"].to_string();
    assert!(
        found.contains("ANTHROPIC_API_KEY=the-host-has-the-key"),
        "{found}"
    );
    assert!(found.contains("looked"), "{found}");
    assert!(asked[3].content.to_string().contains("I looked."));
    let spent = place.rows(&["spend", "--by", "turn"]).await;
    let calls: Vec<_> = spent.iter().map(|row| &row["calls"]).collect();
    assert_eq!(calls, [1, 3], "{spent:?}");
    assert!(
        spent.iter().all(|row| row["cost_usd"].is_string()),
        "{spent:?}"
    );
    place.stop().await;
    let log = fs::read_to_string(place.workspace("log")).unwrap();
    assert_eq!(log, "looked\n");
    assert_eq!(files_with(&place, HOST_SECRET.1), Vec::<Utf8PathBuf>::new());
}
