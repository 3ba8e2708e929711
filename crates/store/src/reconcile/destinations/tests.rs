use anchorhold_core::ids::ChatId;

use crate::{
    Error,
    reconcile::{
        Reconciled,
        conflict::Conflict,
        conversations::tests::conversation,
        desired::{DesiredDestination, DesiredTarget, FileConfig},
        tests::{changes, desired_group, desired_wiring, file, folder},
    },
    tests::fixture::{Place, at, channel},
};

fn to_chat(n: u64, name: &str, chat: &str) -> DesiredDestination {
    DesiredDestination {
        group: folder(n),
        name: name.to_owned(),
        target: DesiredTarget::Chat {
            channel: channel(),
            chat: ChatId::parse(chat).unwrap(),
        },
    }
}

fn to_agent(n: u64, name: &str, to: u64) -> DesiredDestination {
    DesiredDestination {
        target: DesiredTarget::Agent(folder(to)),
        ..to_chat(n, name, "unused")
    }
}

/// Groups 1 and 2 without wirings.
fn groups() -> FileConfig {
    FileConfig {
        wirings: Vec::new(),
        ..file(&[1, 2])
    }
}

/// All destinations as `folder/name -> target`, with `*` behind an implied one, `!` behind one that
/// was made at run time.
async fn all(place: &Place) -> Vec<String> {
    let mut conn = place.store.reader().await.unwrap();
    sqlx::query_scalar(
        "SELECT g.folder || '/' || d.name || ' -> ' || COALESCE(c.chat, t.folder)
             || CASE WHEN d.wiring_id IS NULL THEN '' ELSE '*' END
             || CASE d.managed_by WHEN 'file' THEN '' ELSE '!' END
         FROM destinations d JOIN agent_groups g ON g.id = d.agent_group_id
         LEFT JOIN conversations c ON c.id = d.target_conversation_id
         LEFT JOIN agent_groups t ON t.id = d.target_agent_group_id
         ORDER BY 1",
    )
    .fetch_all(&mut *conn)
    .await
    .unwrap()
}

/// Reconciles twice: the second time must not change anything.
async fn reconcile(place: &Place, wanted: &FileConfig) -> Reconciled {
    let done = place.store.reconcile_file(wanted, at(0)).await.unwrap();
    let again = place.store.reconcile_file(wanted, at(1)).await.unwrap();
    let expect = Reconciled {
        overruled: done.overruled,
        ..Reconciled::default()
    };
    assert_eq!(again, expect);
    done
}

#[tokio::test]
async fn the_file_makes_moves_and_removes_its_own_destinations() {
    let place = Place::new().await;
    place.conversation("known").await;
    let mut wanted = groups();
    wanted.conversations.push(conversation("new"));
    wanted.destinations = vec![
        to_chat(1, "one", "known"),
        to_chat(1, "two", "new"),
        to_agent(1, "peer", 2),
    ];
    let done = reconcile(&place, &wanted).await;
    assert_eq!(done.destinations, changes(3, 0, 0));
    assert_eq!(
        all(&place).await,
        ["g1/one -> known", "g1/peer -> g2", "g1/two -> new"]
    );
    wanted.destinations = vec![to_agent(1, "one", 2), to_chat(1, "two", "new")];
    let done = reconcile(&place, &wanted).await;
    assert_eq!(done.destinations, changes(0, 1, 1));
    assert_eq!(all(&place).await, ["g1/one -> g2", "g1/two -> new"]);
}

#[tokio::test]
async fn what_was_made_at_run_time_has_its_name() {
    let place = Place::new().await;
    let conversation = place.conversation("a").await;
    place.conversation("b").await;
    let mut wanted = groups();
    reconcile(&place, &wanted).await;
    let sql = format!(
        "INSERT INTO destinations (agent_group_id, name, target_type, target_conversation_id,
             created_at) VALUES ('{}', 'team', 'channel', '{conversation}', 7)",
        desired_group(1).fresh
    );
    place.sql(&sql).await.unwrap();
    wanted.destinations = vec![to_chat(1, "team", "a")];
    assert_eq!(reconcile(&place, &wanted).await, Reconciled::default());
    wanted.destinations = vec![to_chat(1, "team", "b")];
    assert_eq!(reconcile(&place, &wanted).await.overruled, 1);
    wanted.destinations = Vec::new();
    assert_eq!(reconcile(&place, &wanted).await, Reconciled::default());
    assert_eq!(all(&place).await, ["g1/team -> a!"]);
}

#[tokio::test]
async fn a_wiring_of_the_file_implies_a_destination_once_its_chat_is_known() {
    let place = Place::new().await;
    let mut wanted = groups();
    wanted.wirings = vec![
        desired_wiring(1, None),
        desired_wiring(1, Some("C 1")),
        desired_wiring(1, Some("c-1")),
        desired_wiring(2, Some("c-1")),
        desired_wiring(2, Some("unseen")),
    ];
    wanted.conversations.push(conversation("c-1"));
    let done = reconcile(&place, &wanted).await;
    assert_eq!(done.destinations, changes(2, 0, 0));
    assert_eq!(all(&place).await, ["g1/c-1 -> c-1*", "g2/c-1 -> c-1*"]);
    // The next reconciliation finds what has been seen since.
    let mut named = conversation("C 1");
    named.name = Some("C/1!".to_owned());
    wanted.conversations.push(named);
    let done = reconcile(&place, &wanted).await;
    assert_eq!(done.destinations, changes(1, 0, 0));
    assert_eq!(
        all(&place).await,
        ["g1/c-1 -> c-1*", "g1/c-1-2 -> C 1*", "g2/c-1 -> c-1*"]
    );
    // It goes with its wiring.
    wanted.wirings.retain(|wiring| wiring.chat.is_none());
    reconcile(&place, &wanted).await;
    assert_eq!(all(&place).await, Vec::<String>::new());
}

#[tokio::test]
async fn a_destination_of_the_file_comes_before_an_implied_one() {
    let place = Place::new().await;
    let mut wanted = groups();
    wanted.wirings = vec![desired_wiring(1, Some("c"))];
    wanted.conversations = vec![conversation("c"), conversation("other")];
    wanted.destinations = vec![to_chat(1, "mine", "c")];
    reconcile(&place, &wanted).await;
    assert_eq!(all(&place).await, ["g1/mine -> c"]);
    wanted.destinations = Vec::new();
    reconcile(&place, &wanted).await;
    assert_eq!(all(&place).await, ["g1/c -> c*"]);
    // Saying the same thing changes nothing, saying another moves it out of the way.
    wanted.destinations = vec![to_chat(1, "c", "c")];
    assert_eq!(reconcile(&place, &wanted).await, Reconciled::default());
    wanted.destinations = vec![to_chat(1, "c", "other")];
    reconcile(&place, &wanted).await;
    assert_eq!(all(&place).await, ["g1/c -> other", "g1/c-2 -> c*"]);
}

#[tokio::test]
async fn destinations_that_lead_nowhere_are_conflicts() {
    let place = Place::new().await;
    let mut wanted = groups();
    wanted.destinations = vec![
        to_chat(1, "one", "nowhere"),
        to_agent(1, "two", 8),
        to_agent(9, "two", 1),
        to_agent(1, "two", 2),
    ];
    let error = place.store.reconcile_file(&wanted, at(0)).await;
    let Err(Error::Conflicts { conflicts }) = error else {
        panic!("{error:?}");
    };
    let unknown = |n| Conflict::UnknownFolder {
        folder: folder(n),
        what: "a destination",
    };
    let expect = [
        unknown(8),
        unknown(9),
        Conflict::RepeatedDestination {
            group: folder(1),
            name: "two".to_owned(),
        },
        Conflict::UnknownConversation {
            channel: channel(),
            chat: ChatId::parse("nowhere").unwrap(),
        },
    ];
    assert_eq!(conflicts, expect);
    assert_eq!(place.number("SELECT COUNT(*) FROM agent_groups").await, 0);
}
