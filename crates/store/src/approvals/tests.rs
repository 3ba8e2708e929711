use anchorhold_core::{
    entity::ApprovalStatus,
    guard::{self, act::Act},
    ids::{AgentGroupId, ConversationId, UserId},
};

use crate::{
    Disposition, Error,
    approvals::{Choice, Decided, NewApproval, Opened, Pick},
    tests::fixture::{
        Place, add_member, address, approval_id as id, asked, at, bytes, delivery, group,
    },
};

fn admit(user: &str, groups: Vec<AgentGroupId>) -> Act {
    Act::AdmitSender {
        conversation: ConversationId::mint(at(0), bytes("chat")),
        user: UserId::mint(at(0), bytes(user)),
        groups,
    }
}

fn wire(chat: &str, offered: Vec<AgentGroupId>) -> Act {
    Act::WireConversation {
        conversation: ConversationId::mint(at(0), bytes(chat)),
        offered,
        asked_by: UserId::mint(at(0), bytes("ann")),
    }
}

#[tokio::test]
async fn an_approval_reads_back_as_it_was_asked_for() {
    let place = Place::new().await;
    let store = &place.store;
    let session = place.session(1, "chat").await;
    let (ann, bob) = (place.user("ann").await, place.user("bob").await);
    let act = add_member(1);
    let fresh = NewApproval {
        options: vec![Choice {
            label: "Connect".to_owned(),
            pick: Pick::Connect(group(1).id),
        }],
        conversation: Some(place.conversation("chat").await),
        group: Some(group(1).id),
        session: Some(session),
        requested_by: Some(ann),
        requesting_group: Some(group(1).id),
        ..asked(1, &act)
    };
    assert_eq!(
        store.open_approval(&fresh, at(1)).await.unwrap(),
        Opened::New
    );
    let card = delivery("card", address("chat", None));
    store.new_delivery(None, &card, at(1)).await.unwrap();
    for approver in [ann, bob] {
        let noted = store.set_approvers(fresh.id, approver, card.id).await;
        assert!(noted.unwrap());
    }
    let known = store.approval(fresh.id).await.unwrap().unwrap();
    assert_eq!((&known.act, known.hash), (&act, guard::hash(&act)));
    assert_eq!((known.title, known.options), (fresh.title, fresh.options));
    assert_eq!(
        (known.conversation, known.group, known.session),
        (fresh.conversation, fresh.group, fresh.session)
    );
    assert_eq!(
        (known.requested_by, known.requesting_group),
        (fresh.requested_by, fresh.requesting_group)
    );
    assert_eq!((known.approver, known.delivery), (Some(bob), Some(card.id)));
    assert_eq!((known.created_at, known.expires_at), (at(1), at(100)));
    assert_eq!((known.status, known.pick), (ApprovalStatus::Pending, None));
    assert_eq!(store.approval(id(9)).await.unwrap(), None);
}

#[tokio::test]
async fn the_same_is_asked_for_once_at_a_time() {
    let place = Place::new().await;
    let (one, two) = (group(1).id, group(2).id);
    for (n, (act, expect)) in [
        (add_member(1), None),
        (add_member(1), Some(0)),
        // Another act is another approval, unless it is about the same sender or conversation.
        (add_member(2), None),
        (admit("ann", vec![one]), None),
        (admit("ann", vec![one, two]), Some(3)),
        (admit("bob", vec![one]), None),
        (wire("a", vec![one]), None),
        (wire("a", vec![two]), Some(6)),
        (wire("b", vec![one]), None),
    ]
    .into_iter()
    .enumerate()
    {
        let n = u64::try_from(n).unwrap();
        let opened = place.store.open_approval(&asked(n, &act), at(1)).await;
        let expect = expect.map_or(Opened::New, |n| Opened::Exists(id(n)));
        assert_eq!(opened.unwrap(), expect, "{n}");
    }
    // What is decided can be asked for again.
    let act = add_member(1);
    place
        .store
        .decide_approval(id(0), &Pick::Reject, None, at(2))
        .await
        .unwrap();
    let opened = place.store.open_approval(&asked(1, &act), at(3)).await;
    assert_eq!(opened.unwrap(), Opened::New);
    let opened = place
        .store
        .open_approval(&asked(0, &add_member(5)), at(3))
        .await;
    assert_eq!(opened.unwrap(), Opened::Exists(id(0)));
}

#[tokio::test]
async fn defect_45_two_that_ask_at_once_have_one_approval() {
    let place = Place::new().await;
    let act = admit("ann", vec![group(1).id]);
    let mut tasks = tokio::task::JoinSet::new();
    for n in 0..8 {
        let (store, act) = (place.store.clone(), act.clone());
        tasks.spawn(async move { (n, store.open_approval(&asked(n, &act), at(1)).await) });
    }
    let all: Vec<_> = tasks.join_all().await;
    let fresh: Vec<u64> = all
        .iter()
        .filter(|(_, opened)| matches!(opened, Ok(Opened::New)))
        .map(|(n, _)| *n)
        .collect();
    assert_eq!(fresh.len(), 1);
    for (n, opened) in all {
        if n != fresh[0] {
            assert_eq!(opened.unwrap(), Opened::Exists(id(fresh[0])));
        }
    }
}

#[tokio::test]
async fn an_act_that_was_changed_is_not_approved() {
    let place = Place::new().await;
    let store = &place.store;
    let act = add_member(1);
    let other = serde_json::to_string(&add_member(2)).unwrap();
    for payload in [other.as_str(), "{}", "null"] {
        place.sql("DELETE FROM approvals").await.unwrap();
        store.open_approval(&asked(1, &act), at(1)).await.unwrap();
        place
            .sql(&format!("UPDATE approvals SET payload = '{payload}'"))
            .await
            .unwrap();
        let error = store.approval(id(1)).await.unwrap_err();
        assert!(matches!(error, Error::ActChanged { approval } if approval == id(1)));
        assert_eq!(error.disposition(), Disposition::Damaged);
        // It can be got rid of, and keeps nobody else from expiring.
        store
            .decide_approval(id(1), &Pick::Approve, None, at(2))
            .await
            .unwrap();
        assert_eq!(store.approvals_to_carry_out(9).await.unwrap(), [id(1)]);
        assert!(store.withdraw_approval(id(1), at(0)).await.unwrap());
        assert!(!store.withdraw_approval(id(1), at(0)).await.unwrap());
        assert_eq!(store.approvals_to_carry_out(9).await.unwrap(), []);
    }
}

#[tokio::test]
async fn an_approval_is_decided_once_and_in_time() {
    let place = Place::new().await;
    let store = &place.store;
    let user = place.user("ann").await;
    let acts: Vec<Act> = (0..3).map(add_member).collect();
    for (n, act) in (0..).zip(&acts) {
        store.open_approval(&asked(n, act), at(1)).await.unwrap();
    }
    let decide = async |n, pick: Pick, ms| {
        let decided = store
            .decide_approval(id(n), &pick, Some(user), at(ms))
            .await;
        decided.unwrap()
    };
    let already = Decided::Already;
    let (yes, no) = (Pick::Approve, Pick::Reject);
    assert_eq!(decide(0, Pick::NewAgent, 99).await, Decided::Now);
    let approved = already(ApprovalStatus::Approved);
    assert_eq!(decide(0, no, 99).await, approved);
    assert_eq!(decide(1, no, 99).await, Decided::Now);
    assert_eq!(decide(1, yes, 99).await, already(ApprovalStatus::Rejected));
    assert_eq!(decide(2, yes, 100).await, already(ApprovalStatus::Expired));
    assert_eq!(decide(9, yes, 99).await, Decided::Gone);
    let known = store.approval(id(0)).await.unwrap().unwrap();
    assert_eq!(
        (known.status, known.pick, known.decided_by, known.decided_at),
        (
            ApprovalStatus::Approved,
            Some(Pick::NewAgent),
            Some(user),
            Some(at(99))
        )
    );
}

#[tokio::test]
async fn an_approval_that_was_given_is_carried_out_until_it_is_said_to_be() {
    let place = Place::new().await;
    let store = &place.store;
    let acts: Vec<Act> = (0..3).map(add_member).collect();
    for (n, act) in (0..).zip(&acts) {
        store.open_approval(&asked(n, act), at(1)).await.unwrap();
    }
    assert_eq!(store.pending_approvals(2).await.unwrap().len(), 2);
    for (n, pick, when) in [
        (0, Pick::Approve, 7),
        (1, Pick::Reject, 6),
        (2, Pick::Approve, 5),
    ] {
        store
            .decide_approval(id(n), &pick, None, at(when))
            .await
            .unwrap();
    }
    let place = place.reopen().await;
    let store = &place.store;
    assert_eq!(store.pending_approvals(9).await.unwrap(), []);
    let due = async || store.approvals_to_carry_out(9).await.unwrap();
    assert_eq!(due().await, [id(2), id(0)]);
    for (n, expect) in [(2, true), (2, false), (1, false), (9, false)] {
        let carried = store.carried_out(id(n), at(8)).await.unwrap();
        assert_eq!(carried, expect, "{n}");
    }
    assert_eq!(due().await, [id(0)]);
    let known = store.approval(id(2)).await.unwrap().unwrap();
    assert_eq!(known.carried_out_at, Some(at(8)));
}

#[tokio::test]
async fn approvals_expire_and_are_told_of_once() {
    let place = Place::new().await;
    let store = &place.store;
    let acts: Vec<Act> = (0..3).map(add_member).collect();
    for ((n, act), ends) in (0..).zip(&acts).zip([100, 200, 100]) {
        let fresh = NewApproval {
            expires_at: at(ends),
            ..asked(n, act)
        };
        store.open_approval(&fresh, at(1)).await.unwrap();
    }
    let expire = async |ms| {
        let expired = store.expire_approvals(at(ms), 9).await.unwrap();
        let mut ids: Vec<_> = expired.iter().map(|a| (a.id, a.status)).collect();
        ids.sort_by_key(|(id, _)| *id);
        ids
    };
    assert_eq!(expire(99).await, []);
    let mut expect = [0, 2].map(|n| (id(n), ApprovalStatus::Expired));
    expect.sort_by_key(|(id, _)| *id);
    assert_eq!(expire(100).await, expect);
    assert_eq!(expire(100).await, []);
    assert_eq!(store.pending_approvals(9).await.unwrap(), [id(1)]);
}

#[tokio::test]
async fn a_code_names_what_still_waits() {
    let place = Place::new().await;
    let store = &place.store;
    let act = add_member(1);
    store.open_approval(&asked(1, &act), at(1)).await.unwrap();
    let named = async |code: &str| store.approval_by_code(code).await.unwrap();
    let code = id(1).code();
    assert_eq!(named(&code).await, [id(1)]);
    assert_eq!(named(&code.to_uppercase()).await, [id(1)]);
    assert_eq!(named(&id(1).to_string()).await, [id(1)]);
    for wrong in ["", "%", "______", "ffffffffffff", code.get(1..).unwrap()] {
        assert_eq!(named(wrong).await, [], "{wrong}");
    }
    store.withdraw_approval(id(1), at(0)).await.unwrap();
    assert_eq!(named(&code).await, []);
}
