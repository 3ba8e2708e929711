//! A harness at the other end of the shim, that speaks MCP as lines of JSON.

use std::{
    io::{BufRead, BufReader, Write},
    os::unix::net::UnixStream as StdStream,
    sync::Arc,
};

use anchorhold_sessiondb::Outcome;
use camino::Utf8PathBuf;
use serde_json::{Value, json};
use tokio::task::{JoinHandle, spawn_blocking};

use super::*;
use crate::{children::Children, desk::tests::Clerk, tools::Tools};

struct Served {
    dir: tempfile::TempDir,
    turn: CurrentTurn,
    server: JoinHandle<()>,
}

impl Drop for Served {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Served {
    #[expect(clippy::disallowed_methods, reason = "the test ends it")]
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = Utf8PathBuf::from_path_buf(dir.path().join("s")).unwrap();
        let turn = CurrentTurn::default();
        let served = serve(listen(&path).unwrap(), turn.clone());
        let server = tokio::spawn(async { match served.await {} });
        Self { dir, turn, server }
    }

    fn begin(&self) -> Clerk {
        let workspace = Utf8PathBuf::from_path_buf(self.dir.path().to_owned()).unwrap();
        let tools = Tools::new(workspace, Vec::new(), Arc::new(Children::default()));
        let clerk = Clerk::new(Outcome::Sent);
        let io = TurnIo::new(|_declared| {}, Arc::new(tools));
        self.turn.begin(io.with_desk(Arc::clone(&clerk.desk)));
        clerk
    }

    /// Everything that a harness is answered over the shim, a line each.
    #[expect(
        clippy::disallowed_methods,
        reason = "the harness is a program of its own"
    )]
    async fn tell(&self, lines: Vec<Value>) -> Vec<Value> {
        let socket = Utf8PathBuf::from_path_buf(self.dir.path().join("s")).unwrap();
        let answers = lines.iter().filter(|line| line.get("id").is_some()).count();
        spawn_blocking(move || {
            let (mut harness, input) = StdStream::pair().unwrap();
            let (output, back) = StdStream::pair().unwrap();
            let shim = std::thread::spawn(move || shim::run(&socket, input, output));
            let mut back = BufReader::new(back).lines();
            let mut answered = Vec::new();
            for line in lines {
                writeln!(harness, "{line}").unwrap();
                if line.get("id").is_some() {
                    let line = back.next().unwrap().unwrap();
                    answered.push(serde_json::from_str(&line).unwrap());
                }
            }
            assert_eq!(answered.len(), answers);
            drop(harness);
            shim.join().unwrap().unwrap();
            answered
        })
        .await
        .unwrap()
    }
}

fn hello() -> Vec<Value> {
    let about = json!({"protocolVersion": "2025-11-25", "capabilities": {},
        "clientInfo": {"name": "harness", "version": "1"}});
    vec![
        json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": about}),
        json!({"jsonrpc": "2.0", "method": "notifications/initialized"}),
    ]
}

fn call(name: &str, arguments: &Value) -> Value {
    let params = json!({"name": name, "arguments": arguments});
    json!({"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": params})
}

#[tokio::test]
async fn a_harness_is_told_the_tools_that_it_has_not_itself() {
    let served = Served::new();
    let mut lines = hello();
    lines.push(json!({"jsonrpc": "2.0", "id": 2, "method": "tools/list"}));
    let answered = served.tell(lines).await;
    assert_eq!(answered[0]["result"]["serverInfo"]["name"], NAME);
    let told = answered[1]["result"]["tools"].as_array().unwrap();
    let names: Vec<&str> = told
        .iter()
        .map(|tool| tool["name"].as_str().unwrap())
        .collect();
    let expect: Vec<&str> = tools::NAMES
        .iter()
        .copied()
        .filter(|name| !tools::HANDS.contains(name))
        .collect();
    assert_eq!(names, expect);
    assert_eq!(told[0]["inputSchema"]["type"], "object");
}

#[tokio::test]
async fn a_call_is_of_the_turn_that_runs() {
    let served = Served::new();
    let react = call("add_reaction", &json!({"seq": 4, "emoji": "👍"}));
    let said = |answered: &[Value]| answered[1]["result"]["content"][0]["text"].clone();
    let tell = |line: &Value| [hello(), vec![line.clone()]].concat();

    let answered = served.tell(tell(&react)).await;
    assert_eq!(answered[1]["result"]["isError"], true);
    assert_eq!(
        said(&answered),
        "error: no turn runs just now, so nothing can be done for it"
    );

    let clerk = served.begin();
    let answered = served.tell(tell(&react)).await;
    assert_eq!(answered[1]["result"]["isError"], false, "{answered:?}");
    let wrong = call("add_reaction", &json!({"seq": 4}));
    let answered = served.tell(tell(&wrong)).await;
    assert_eq!(answered[1]["result"]["isError"], true);
    let hand = call("bash", &json!({"cmd": "true"}));
    let answered = served.tell(tell(&hand)).await;
    assert_eq!(answered[1]["error"]["message"], "there is no tool \"bash\"");
    assert_eq!(clerk.said().len(), 1);
    served.turn.end();
}
