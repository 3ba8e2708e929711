//! Administration of a running host, over its socket and from inside a sandbox.

use anchorhold_admin::{
    catalog::{Agents, CATALOG},
    render,
    request::{FailCode, Reply, Request},
};
use anchorhold_core::{
    guard::act::Target,
    ids::{AgentGroupId, FolderName},
};
use anchorhold_sessiondb::Requests;
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::UnixStream,
};

use super::*;
use crate::control;

/// One channel, and no agent.
const BARE: &str = "[channels.one]\ntype = \"cli\"\n";

/// `groups create folder=a name=~b`: a resource, a verb, and fields; `~` stands for a space.
pub(super) fn request(line: &str) -> Request {
    let (fields, names): (Vec<_>, Vec<_>) = line.split(' ').partition(|word| word.contains('='));
    let args = fields.into_iter().map(|field| {
        let (name, value) = field.split_once('=').unwrap();
        (name.to_owned(), value.replace('~', " "))
    });
    Request {
        resource: names[0].to_owned(),
        verb: names.get(1).copied().unwrap_or_default().to_owned(),
        args: args.collect(),
    }
}

fn rows(reply: Reply) -> Vec<Vec<String>> {
    let Reply::Rows { rows, .. } = reply else {
        panic!("no list: {reply:?}");
    };
    let text = |value: Value| value.as_str().map_or(value.to_string(), str::to_owned);
    rows.into_iter()
        .map(|row| row.into_iter().map(text).collect())
        .collect()
}

pub(super) fn columns(reply: Reply, names: &[&str]) -> Vec<Vec<String>> {
    let Reply::Rows { columns, .. } = &reply else {
        panic!("no list: {reply:?}");
    };
    let at: Vec<usize> = names
        .iter()
        .map(|name| columns.iter().position(|column| column == name).unwrap())
        .collect();
    let rows = rows(reply).into_iter();
    rows.map(|row| at.iter().map(|at| row[*at].clone()).collect())
        .collect()
}

#[track_caller]
fn made(reply: &Reply) -> String {
    let Reply::Done { id: Some(id), .. } = reply else {
        panic!("nothing was made: {}", render::text(reply));
    };
    id.clone()
}

#[track_caller]
pub(super) fn done(reply: &Reply) -> String {
    let Reply::Done { what, .. } = reply else {
        panic!("not done: {}", render::text(reply));
    };
    what.clone()
}

#[track_caller]
pub(super) fn failed(reply: &Reply) -> (FailCode, String) {
    let Reply::Failed { code, what } = reply else {
        panic!("did not fail: {}", render::text(reply));
    };
    (*code, what.clone())
}

#[track_caller]
fn held(reply: &Reply) -> (String, String) {
    let Reply::Held { approval, code, .. } = reply else {
        panic!("not held: {}", render::text(reply));
    };
    (approval.clone(), code.clone())
}

impl Host {
    /// What the operator gets for a request.
    pub(super) async fn operator(&self, line: &str) -> Reply {
        let path = self.graph.base.dirs.control();
        let request = control::Request::Admin {
            request: request(line),
        };
        control::call(&path, &request).await.unwrap()
    }

    /// What the agent in a sandbox gets for a request.
    pub(super) async fn asks(&self, inside: &Inside, line: &str) -> Reply {
        let json = serde_json::to_string(&request(line)).unwrap();
        let reply = self.asks_raw(inside, &json).await;
        serde_json::from_str(&reply).unwrap()
    }

    async fn asks_raw(&self, inside: &Inside, json: &str) -> String {
        let mut requests = Requests::open(&inside.in_dir, &inside.out_dir).unwrap();
        let id = requests.ask(json, self.bench.clock.now()).unwrap();
        self.graph.base.inside.ring(inside.id.session);
        until("the host replies", async || requests.reply(id).unwrap()).await
    }

    /// An agent of this scope that hears this chat, in a sandbox.
    pub(super) async fn agent_of(&mut self, folder: &str, scope: &str, chat: &str) -> Inside {
        let create = format!("groups create folder={folder} admin-scope={scope}");
        made(&self.operator(&create).await);
        let wire = format!("wirings create channel=one conversation={chat} group={folder}");
        made(&self.operator(&wire).await);
        let taken = self.hand_over(event_in(chat, &format!("m-{chat}"))).await;
        assert_eq!(taken.unwrap(), Accepted::Stored);
        self.enter().await
    }

    async fn group_id(&self, folder: &str) -> AgentGroupId {
        let folder = FolderName::parse(folder).unwrap();
        self.store()
            .group_by_folder(&folder)
            .await
            .unwrap()
            .unwrap()
            .id
    }

    async fn audit_listed(&self) -> Vec<Vec<String>> {
        columns(
            self.operator("audit list").await,
            &["actor", "act", "ruling"],
        )
    }
}

#[tokio::test]
async fn defect_13_a_folder_outside_is_refused() {
    let host = Host::new(BARE).await;
    for folder in ["../x", "../../x", "/x", "a/b", "..", ".", "a~b", "~", ""] {
        let reply = host
            .operator(&format!("groups create folder={folder}"))
            .await;
        assert_eq!(failed(&reply).0, FailCode::Usage, "{folder}");
    }
    assert_eq!(rows(host.operator("groups list").await).len(), 0);
    host.stop().await;
}

#[tokio::test]
async fn defect_38_a_wiring_brings_its_destination_and_a_group_all_it_needs() {
    let mut host = Host::new(BARE).await;
    let mut inside = host.agent_of("first", "group", "c").await;
    // It starts, hears, and has a name to answer by.
    assert_eq!(inside.texts(), ["text of m-c"]);
    let group = host.group_id("first").await;
    assert!(host.store().group_config(group).await.unwrap().is_some());
    let conversation = host.store().conversation(&one(), &chat("c")).await;
    let conversation = conversation.unwrap().unwrap().id;
    let destinations = host.store().destinations(group).await.unwrap();
    assert_eq!(destinations.len(), 1);
    assert_eq!(destinations[0].target, Target::Conversation(conversation));
    inside.answer();

    let said = host.operator("groups delete id=first").await;
    let undo = made(&said);
    assert!(done(&said).contains("wirings"), "{}", done(&said));
    assert_eq!(rows(host.operator("groups list").await).len(), 0);
    assert_eq!(rows(host.operator("wirings list").await).len(), 0);
    done(&host.operator(&format!("undo restore id={undo}")).await);
    assert_eq!(host.group_id("first").await, group);
    assert_eq!(rows(host.operator("wirings list").await).len(), 1);
    let destinations = rows(host.operator("destinations list group=first").await);
    assert_eq!(destinations.len(), 1);
    let again = host.operator(&format!("undo restore id={undo}")).await;
    assert_eq!(failed(&again).0, FailCode::Conflict);
    host.stop().await;
}

#[tokio::test]
async fn defect_39_a_restart_asked_by_an_agent_is_about_its_own_group_and_held() {
    let mut host = Host::new(BARE).await;
    let own = host.agent_of("own", "group", "c").await;
    made(&host.operator("groups create folder=other").await);
    let (code, _) = failed(&host.asks(&own, "groups restart id=other").await);
    assert_eq!(code, FailCode::Forbidden);
    let (approval, _) = held(&host.asks(&own, "groups restart message=up").await);
    // Nothing has happened yet.
    assert_eq!(host.runtime().running().len(), 1);
    let listed = host.operator("approvals list").await;
    let listed = columns(listed, &["id", "action", "group", "requesting_group"]);
    assert_eq!(listed, [[approval.as_str(), "restart_group", "own", "own"]]);
    let audited = host.audit_listed().await;
    assert_eq!(audited[0][1..], ["restart_group", "held"]);
    assert_eq!(audited[1][1..], ["groups restart", "denied"]);
    // Approved, the sandbox is replaced, and its successor is told.
    done(
        &host
            .operator(&format!("approvals approve id={approval}"))
            .await,
    );
    let mut fresh = host.enter().await;
    assert_eq!(fresh.id.session, own.id.session);
    assert!(fresh.texts().iter().any(|text| text.contains("up")));
    host.stop().await;
}

#[tokio::test]
async fn an_approved_act_is_carried_out_and_its_agent_is_told() {
    let mut host = Host::new(BARE).await;
    let mut own = host.agent_of("own", "group", "c").await;
    own.answer();
    let reply = host.asks(&own, "groups update name=Better").await;
    let (approval, code) = held(&reply);
    // Asked for again it is the same request.
    let again = host.asks(&own, "groups update name=Better").await;
    assert_eq!(held(&again).0, approval);
    let listed = host.operator("approvals list").await;
    assert_eq!(
        columns(listed, &["id", "code"]),
        [[approval.as_str(), code.as_str()]]
    );
    let shown = host.asks(&own, "approvals list").await;
    assert_eq!(columns(shown, &["code"]), [[code.as_str()]]);
    // Who asks does not decide.
    for verb in ["approve", "reject"] {
        let tried = host
            .asks(&own, &format!("approvals {verb} id={code}"))
            .await;
        assert_eq!(failed(&tried).0, FailCode::Forbidden);
    }
    done(&host.operator(&format!("approvals approve id={code}")).await);
    let name = host.operator("groups list").await;
    assert_eq!(columns(name, &["name"]), [["Better"]]);
    let twice = host
        .operator(&format!("approvals reject id={approval}"))
        .await;
    assert_eq!(failed(&twice).0, FailCode::Conflict);
    let unknown = host.operator("approvals approve id=ffffff").await;
    assert_eq!(failed(&unknown).0, FailCode::NotFound);
    host.stop().await;
}

#[tokio::test]
async fn scopes_fail_closed() {
    let mut host = Host::new(BARE).await;
    let none = host.agent_of("none", "disabled", "a").await;
    let own = host.agent_of("own", "group", "b").await;
    let all = host.agent_of("all", "global", "c").await;
    let folders = |reply: Reply| -> Vec<String> {
        columns(reply, &["folder"]).into_iter().flatten().collect()
    };
    // Whatever there is, one of them may nothing of it but what is its own.
    for resource in CATALOG {
        for verb in resource.verbs {
            if matches!(verb.agents, Agents::Own(_)) {
                continue;
            }
            let line = format!("{} {}", resource.name, verb.name);
            let (code, _) = failed(&host.asks(&none, line.trim_end()).await);
            assert_eq!(code, FailCode::Forbidden, "{line}");
        }
    }
    assert_eq!(folders(host.asks(&own, "groups list").await), ["own"]);
    assert_eq!(
        folders(host.asks(&all, "groups list").await),
        ["all", "none", "own"]
    );
    for (line, column) in [
        ("wirings list", "group"),
        ("destinations list", "group"),
        ("sessions list", "group"),
    ] {
        let seen = columns(host.asks(&own, line).await, &[column]);
        assert_eq!(seen, [["own"]], "{line}");
        let seen = host.asks(&own, &format!("{line} limit=1")).await;
        assert_eq!(columns(seen, &[column]), [["own"]], "{line}");
        let other = host.asks(&own, &format!("{line} group=all")).await;
        assert_eq!(failed(&other).0, FailCode::Forbidden);
    }
    for line in [
        "users list",
        "conversations list",
        "audit list",
        "undo list",
    ] {
        let refused = host.asks(&own, line).await;
        assert_eq!(failed(&refused).0, FailCode::Forbidden, "{line}");
        rows(host.asks(&all, line).await);
    }
    held(&host.asks(&all, "groups update id=own name=New").await);
    // Nobody widens what agents may.
    for line in [
        "groups update id=all admin-scope=global",
        "groups create folder=x admin-scope=global",
        "pair channel=one",
        "deadletters list",
    ] {
        let refused = host.asks(&all, line).await;
        assert_eq!(failed(&refused).0, FailCode::Forbidden, "{line}");
    }
    host.stop().await;
}

#[tokio::test]
async fn a_foreign_session_is_as_unknown_as_one_that_is_not() {
    let mut host = Host::new(BARE).await;
    let own = host.agent_of("own", "group", "a").await;
    let other = host.agent_of("other", "group", "b").await;
    let unknown = "01890000-0000-7000-8000-000000000000";
    for verb in ["get", "close"] {
        let foreign = host
            .asks(&own, &format!("sessions {verb} id={}", other.id.session))
            .await;
        let nothing = host
            .asks(&own, &format!("sessions {verb} id={unknown}"))
            .await;
        assert_eq!(failed(&foreign).0, FailCode::NotFound);
        assert_eq!(failed(&foreign), failed(&nothing));
    }
    let shown = host
        .asks(&own, &format!("sessions get id={}", own.id.session))
        .await;
    let Reply::One(fields) = shown else {
        panic!("not shown");
    };
    assert_eq!(fields["group"], "own");
    held(
        &host
            .asks(&own, &format!("sessions close id={}", own.id.session))
            .await,
    );
    host.stop().await;
}

#[tokio::test]
async fn what_is_no_request_changes_nothing() {
    let host = Host::new(BARE).await;
    made(&host.operator("groups create folder=a").await);
    let wire = "wirings create channel=one conversation=c group=a";
    let wiring = made(
        &host
            .operator(&format!("{wire} engage=mention priority=3"))
            .await,
    );
    let before = rows(host.operator("wirings list").await);
    for line in [
        // One spelling only.
        "groups update id=a prompt_messages=3",
        "groups update id=a prompt-messages=0",
        "groups update id=a",
        "groups update id=a provider=nobody",
        &format!("wirings update id={wiring}"),
        &format!("wirings update id={wiring} pattern=("),
        &format!("wirings update id={wiring} engage=pattern"),
        &format!("wirings update id={wiring} engage=mention pattern=x"),
        &format!("wirings update id={wiring} senders=nobody"),
        "wirings create channel=one conversation=d group=a pattern=(",
        "roles grant user=x role=admin",
        "members add group=a channel=one",
        "undo restore id=x",
    ] {
        let (code, what) = failed(&host.operator(line).await);
        assert_eq!(code, FailCode::Usage, "{line}: {what}");
    }
    for line in [
        "groups get id=nobody",
        "wirings create channel=two conversation=d group=a",
        "wirings create channel=one conversation=d group=nobody",
        "members add group=a channel=one handle=nobody",
        "destinations add group=a name=x channel=one conversation=unheard",
        "undo restore id=77",
    ] {
        let (code, what) = failed(&host.operator(line).await);
        assert_eq!(code, FailCode::NotFound, "{line}: {what}");
    }
    let (code, _) = failed(&host.operator(wire).await);
    assert_eq!(code, FailCode::Conflict);
    assert_eq!(rows(host.operator("wirings list").await), before);
    host.stop().await;
}

#[tokio::test]
async fn an_update_of_a_wiring_leaves_the_rest_as_it_is() {
    let host = Host::new(BARE).await;
    made(&host.operator("groups create folder=a").await);
    let create = "wirings create channel=one conversation=c group=a pattern=^hey \
                  senders=known ignored=accumulate session=per-thread priority=3";
    let wiring = made(&host.operator(create).await);
    let rules = [
        "engage", "pattern", "senders", "ignored", "session", "priority",
    ];
    let present = async || columns(host.operator("wirings list").await, &rules);
    let expect = ["pattern", "^hey", "known", "accumulate", "per-thread", "3"];
    assert_eq!(present().await, [expect]);
    done(
        &host
            .operator(&format!("wirings update id={wiring} priority=-4"))
            .await,
    );
    let expect = ["pattern", "^hey", "known", "accumulate", "per-thread", "-4"];
    assert_eq!(present().await, [expect]);
    done(
        &host
            .operator(&format!("wirings update id={wiring} engage=mention-sticky"))
            .await,
    );
    let expect = [
        "mention-sticky",
        "null",
        "known",
        "accumulate",
        "per-thread",
        "-4",
    ];
    assert_eq!(present().await, [expect]);
    done(
        &host
            .operator(&format!(
                "wirings update id={wiring} engage=always senders=all"
            ))
            .await,
    );
    let expect = ["pattern", ".", "all", "accumulate", "per-thread", "-4"];
    assert_eq!(present().await, [expect]);
    host.stop().await;
}

#[tokio::test]
async fn what_the_file_has_is_changed_in_the_file() {
    let host = Host::new(PLAIN).await;
    let wiring = rows(host.operator("wirings list").await)
        .remove(0)
        .remove(0);
    for line in [
        "groups update id=helper name=x",
        "groups delete id=helper",
        &format!("wirings update id={wiring} priority=1"),
        &format!("wirings delete id={wiring}"),
    ] {
        let (code, what) = failed(&host.operator(line).await);
        assert_eq!(code, FailCode::Conflict, "{line}");
        assert!(what.contains("configuration file"), "{what}");
    }
    host.stop().await;
}

#[tokio::test]
async fn people_get_and_lose_what_they_may() {
    let host = Host::new(BARE).await;
    made(&host.operator("groups create folder=a").await);
    let user = made(
        &host
            .operator("users create channel=one handle=u name=Una")
            .await,
    );
    done(
        &host
            .operator("roles grant channel=one handle=u role=admin group=a")
            .await,
    );
    done(
        &host
            .operator(&format!("roles grant user={user} role=owner"))
            .await,
    );
    done(
        &host
            .operator(&format!("members add group=a user={user}"))
            .await,
    );
    let roles = columns(
        host.operator("roles list").await,
        &["handle", "role", "group"],
    );
    assert_eq!(roles.len(), 2);
    let listed = host.operator("roles list group=a").await;
    assert_eq!(
        columns(listed, &["handle", "role", "group"]),
        [["u", "admin", "a"]]
    );
    let listed = host.operator("members list channel=one handle=u").await;
    assert_eq!(
        columns(listed, &["user_id", "group"]),
        [[user.as_str(), "a"]]
    );
    let listed = host
        .operator("members list channel=one handle=nobody")
        .await;
    assert!(rows(listed).is_empty());
    done(
        &host
            .operator(&format!("roles revoke user={user} role=owner"))
            .await,
    );
    done(
        &host
            .operator("members remove group=a channel=one handle=u")
            .await,
    );
    assert!(rows(host.operator("members list").await).is_empty());
    done(
        &host
            .operator(&format!("users update id={user} name=Ada"))
            .await,
    );
    let undo = made(&host.operator(&format!("users delete id={user}")).await);
    assert!(rows(host.operator("roles list").await).is_empty());
    done(&host.operator(&format!("undo restore id={undo}")).await);
    assert_eq!(rows(host.operator("roles list").await).len(), 1);
    host.stop().await;
}

#[tokio::test]
async fn explain_says_what_would_happen_and_does_nothing() {
    let host = Host::new(BARE).await;
    let explain = "wirings explain channel=one conversation=c text=hello~there";
    let shown = async |more: &str| rows(host.operator(&format!("{explain}{more}")).await);
    let unheard = "no agent is wired to the conversation, and the bot was not addressed";
    assert_eq!(shown("").await, [["null", "declined", unheard, "null"]]);
    let asked = "nobody has decided yet which agent is to hear the conversation";
    assert_eq!(
        shown(" mention=true").await,
        [["null", "declined", asked, "null"]]
    );
    for (folder, engage) in [("a", "pattern=^hello"), ("b", "engage=mention")] {
        made(
            &host
                .operator(&format!("groups create folder={folder}"))
                .await,
        );
        let wire = format!("wirings create channel=one conversation=* group={folder} {engage}");
        made(&host.operator(&wire).await);
    }
    let told = shown("").await;
    assert_eq!(told.len(), 2);
    let told = shown(" group=b mention=true").await;
    assert_eq!(told.len(), 1);
    assert_eq!(told[0][0], "b");
    // Nobody and nothing was put on record by asking.
    assert!(rows(host.operator("users list").await).is_empty());
    assert!(rows(host.operator("conversations list").await).is_empty());
    host.stop().await;
}

#[tokio::test]
async fn who_asks_too_much_waits_and_nobody_else_does() {
    let mut host = Host::new(BARE).await;
    let own = host.agent_of("own", "group", "a").await;
    let other = host.agent_of("other", "group", "b").await;
    for _ in 0..60 {
        rows(host.asks(&own, "groups list").await);
    }
    let refused = host.asks(&own, "groups list").await;
    assert_eq!(failed(&refused).0, FailCode::Unavailable);
    rows(host.asks(&other, "groups list").await);
    host.advance(Duration::from_mins(1));
    // What was refused is over; the pause after it is short.
    rows(host.asks(&own, "groups list").await);
    host.stop().await;
}

#[tokio::test]
async fn garbage_from_a_sandbox_is_answered_as_such() {
    let mut host = Host::new(BARE).await;
    let own = host.agent_of("own", "global", "a").await;
    for garbage in [
        "",
        "{}",
        "[]",
        "null",
        "{\"resource\":1}",
        &"[".repeat(5000),
    ] {
        let reply = host.asks_raw(&own, garbage).await;
        let reply: Reply = serde_json::from_str(&reply).unwrap();
        assert_eq!(failed(&reply).0, FailCode::Usage, "{garbage}");
    }
    let reply = host.asks(&own, "nothing list").await;
    assert_eq!(failed(&reply).0, FailCode::Usage);
    host.stop().await;
}

#[tokio::test]
async fn so_many_requests_wait_for_people_and_no_more() {
    let mut host = Host::new(BARE).await;
    let own = host.agent_of("own", "group", "a").await;
    for number in 0..20 {
        held(
            &host
                .asks(&own, &format!("groups update tries=1 name=n{number}"))
                .await,
        );
    }
    let refused = host.asks(&own, "groups update name=more").await;
    assert_eq!(failed(&refused).0, FailCode::Unavailable);
    host.stop().await;
}

#[tokio::test]
async fn a_code_for_pairing_is_made_for_the_operator() {
    let host = Host::new(BARE).await;
    let Reply::One(fields) = host.operator("pair channel=one").await else {
        panic!("no code");
    };
    let code = fields["code"].as_str().unwrap().to_owned();
    assert!(code.len() >= 6 && code.bytes().all(|byte| byte.is_ascii_digit()));
    assert_eq!(fields["owners"], Value::Array(Vec::new()));
    let (nobody, _) = failed(&host.operator("pair channel=two").await);
    assert_eq!(nobody, FailCode::NotFound);
    let mut told = event_in("c", "1");
    told.text = code;
    assert_eq!(host.hand_over(told).await.unwrap(), Accepted::Stored);
    let Reply::One(fields) = host.operator("pair channel=one").await else {
        panic!("no code");
    };
    assert_eq!(fields["owners"].as_array().unwrap().len(), 1);
    assert!(
        host.audit_listed()
            .await
            .iter()
            .any(|line| line[1..] == ["pair", "allowed"])
    );
    host.stop().await;
}

#[tokio::test]
async fn every_write_is_on_record() {
    let host = Host::new(BARE).await;
    made(&host.operator("groups create folder=a").await);
    done(&host.operator("groups update id=a name=A").await);
    rows(host.operator("groups list").await);
    assert_eq!(
        host.audit_listed().await,
        [
            ["operator", "update_group", "allowed"],
            ["operator", "create_group", "allowed"],
        ]
    );
    host.stop().await;
}

#[tokio::test]
async fn the_socket_answers_garbage_with_a_reason() {
    let host = Host::new(BARE).await;
    let path = host.graph.base.dirs.control();
    let long = format!("{{\"ask\":\"{}\"}}\n", "x".repeat(300 * 1024));
    for garbage in [
        "\n",
        "nonsense\n",
        "{\"ask\":\"secrets\"}\n",
        "{\"ask\":\"admin\"}\n",
        &long,
    ] {
        let stream = UnixStream::connect(&path).await.unwrap();
        let (mut reader, mut writer) = stream.into_split();
        // A host that has read enough does not take the rest.
        drop(writer.write_all(garbage.as_bytes()).await);
        let mut answer = Vec::new();
        drop(reader.read_to_end(&mut answer).await);
        let answer = String::from_utf8(answer).unwrap();
        assert!(answer.starts_with("{\"error\":\""), "{answer}");
        assert!(answer.ends_with("}\n"), "{answer}");
    }
    rows(host.operator("groups list").await);
    host.stop().await;
}

#[tokio::test]
async fn an_agent_traces_only_what_its_own_group_heard() {
    let mut host = Host::new(BARE).await;
    let own = host.agent_of("own", "group", "a").await;
    let other = host.agent_of("other", "group", "b").await;
    let mine = host
        .asks(&own, &format!("trace id={}:2", own.id.session))
        .await;
    assert!(matches!(mine, Reply::One(_)), "{mine:?}");
    let foreign = host
        .asks(&own, &format!("trace id={}:2", other.id.session))
        .await;
    let nothing = host.asks(&own, "trace id=nothing").await;
    assert_eq!(failed(&foreign).0, FailCode::NotFound);
    assert_eq!(failed(&foreign), failed(&nothing));
    host.stop().await;
}
