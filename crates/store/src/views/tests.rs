use anchorhold_core::{
    access::Role,
    guard::act::Act,
    ids::{AgentGroupId, Handle},
    route::Reason,
};
use serde_json::Value;
use sqlx::{Column, Executor, Statement};

use crate::{
    approvals::{NewApproval, held::HeldEvent},
    attempts::Unattempted,
    audit::{AuditEntry, AuditRuling},
    ingest::{EventOutcome, EventRecord},
    pull::Pulled,
    tests::fixture::{
        Place, add_member, address, approval_id as id, asked, at, channel, event, group, message,
        platform_id, pulled, request_out, wiring,
    },
    undo::What,
    views::{Filter, Rows, View},
};

/// Something in every listing; agent 1 has all of it, agent 2 has nothing but a closed session.
async fn full() -> Place {
    let place = Place::new().await;
    let store = &place.store;
    let session = place.session(1, "chat").await;
    let closed = place.session(2, "other").await;
    store.close_session(closed, at(1)).await.unwrap();
    let (one, ann) = (group(1).id, place.user("ann").await);
    let role = Role::GroupAdmin(one);
    store.grant_role(ann, role, None, at(1)).await.unwrap();
    store.add_member(ann, one, None, at(1)).await.unwrap();
    let chat = place.conversation("chat").await;
    store.set_direct_chat(ann, chat, at(1)).await.unwrap();
    let (own, wide) = (wiring(1, Some("chat"), one), wiring(2, None, group(2).id));
    store.add_wiring(&own, 0, at(1)).await.unwrap();
    store.add_wiring(&wide, 0, at(1)).await.unwrap();
    store
        .delete_with_copy(What::Wiring(wide.id), at(1))
        .await
        .unwrap();
    let mut heard = message(session, 2);
    heard.sender = Some(ann);
    store.record_event(&event(2, vec![heard])).await.unwrap();
    let declined = EventRecord {
        outcome: EventOutcome::Declined,
        declined: Some(Reason::UnknownSender),
        sender: Handle::parse("ann").unwrap(),
        ..event(3, Vec::new())
    };
    store.record_event(&declined).await.unwrap();
    let act: Act = add_member(1);
    let fresh = NewApproval {
        group: Some(one),
        conversation: Some(chat),
        requested_by: Some(ann),
        ..asked(1, &act)
    };
    store.open_approval(&fresh, at(1)).await.unwrap();
    let held = HeldEvent {
        address: address("chat", None),
        message_id: platform_id(9),
        event: "{\"text\":\"secret\"}".to_owned(),
    };
    store.hold_event(id(1), &held, 9, at(1)).await.unwrap();
    let actor = format!("user {ann}");
    let entry = AuditEntry {
        actor: &actor,
        act: "add_member",
        detail: "",
        ruling: AuditRuling::Held,
    };
    store.audit(&entry, at(1)).await.unwrap();
    let said = pulled(3, address("chat", None));
    let pulled = Pulled {
        deliveries: vec![said.clone()],
        ..Pulled::default()
    };
    store.accept(session, &pulled, at(1)).await.unwrap();
    let dead = Unattempted::Dead {
        why: "refused".to_owned(),
    };
    let out = said.delivery.id;
    store.settle_unattempted(out, &dead, at(2)).await.unwrap();
    let request = request_out(session);
    store.add_requests_out(&[request]).await.unwrap();
    let task = "INSERT INTO tasks (id, agent_group_id, name, prompt, cron, zone, conversation_id, apart, state, next_at, created_at)
         SELECT '01890a5d-ac96-774b-bcce-b302099a8057', g.id, 'report', 'secret', '0 9 * * *', 'UTC', c.id, 1, 'active', 9, 0
         FROM agent_groups g, conversations c WHERE g.folder = 'g1' AND c.chat = 'chat'";
    place.sql(task).await.unwrap();
    place
}

async fn view(place: &Place, view: View, filter: &Filter) -> Rows {
    place.store.view(view, filter, 50).await.unwrap()
}

fn of_group(group: AgentGroupId) -> Filter {
    Filter {
        group: Some(group),
        all: true,
        ..Filter::default()
    }
}

#[tokio::test]
async fn the_columns_are_those_of_the_query_and_tell_no_text_of_messages() {
    let place = Box::pin(full()).await;
    let mut conn = place.store.reader().await.unwrap();
    for listed in View::ALL {
        let sql = sqlx::SqlStr::from_static(listed.listing().sql);
        let prepared = conn.prepare(sql).await.unwrap();
        let names: Vec<&str> = prepared.columns().iter().map(Column::name).collect();
        assert_eq!(names, listed.columns(), "{listed}");
        let rows = view(&place, *listed, &Filter::default()).await;
        assert!(!rows.rows.is_empty(), "{listed}");
        let shown = format!("{rows:?}");
        assert!(!shown.contains("secret"), "{shown}");
        for row in &rows.rows {
            for (name, value) in rows.columns.iter().zip(row) {
                let is_time = name.ends_with("_at");
                let fine = value.is_null() || value.is_number() || !is_time && value.is_string();
                assert!(fine, "{listed}.{name}: {value}");
            }
        }
    }
}

#[tokio::test]
async fn under_another_group_every_listing_shows_nothing_of_this_one() {
    let place = Box::pin(full()).await;
    for listed in View::ALL {
        let own = view(&place, *listed, &of_group(group(1).id)).await;
        let expect = !matches!(listed, View::Audit | View::Undo);
        assert_eq!(!own.rows.is_empty(), expect, "{listed}");
        let other = view(&place, *listed, &of_group(group(2).id)).await;
        let shown = format!("{:?}", other.rows);
        for secret in ["\"ann\"", "\"chat\"", "\"g1\""] {
            assert!(!shown.contains(secret), "{listed}: {shown}");
        }
        let nobodys = view(&place, *listed, &of_group(group(9).id)).await;
        assert_eq!(nobodys.rows, Vec::<Vec<Value>>::new(), "{listed}");
    }
}

#[tokio::test]
async fn a_filter_comes_before_the_limit() {
    let place = Place::new().await;
    for n in 0..5 {
        place.session(1, &format!("chat {n}")).await;
    }
    let wanted = place.session(2, "chat").await;
    place
        .sql("UPDATE sessions SET last_active_at = last_active_at + rowid")
        .await
        .unwrap();
    place
        .sql(&format!(
            "UPDATE sessions SET last_active_at = 0 WHERE id = '{wanted}'"
        ))
        .await
        .unwrap();
    let filter = of_group(group(2).id);
    let rows = place.store.view(View::Sessions, &filter, 1).await.unwrap();
    assert_eq!(rows.rows.len(), 1);
    assert_eq!(rows.rows[0][0], Value::from(wanted.to_string()));
    let all = Filter::default();
    let rows = place.store.view(View::Sessions, &all, 3).await.unwrap();
    let times: Vec<i64> = rows.rows.iter().filter_map(|row| row[9].as_i64()).collect();
    assert_eq!(times.len(), 3);
    assert!(times.is_sorted_by(|a, b| a >= b), "{times:?}");
}

#[tokio::test]
async fn what_is_over_is_shown_on_request() {
    let place = Box::pin(full()).await;
    let retired = "UPDATE agent_groups SET retired_at = 1 WHERE folder = 'g2'";
    place.sql(retired).await.unwrap();
    place.store.withdraw_approval(id(1), at(0)).await.unwrap();
    place.store.restore(1, at(2)).await.unwrap();
    let dead = place.store.failed_deliveries(1).await.unwrap().remove(0);
    place.store.discard_delivery(dead.id, at(3)).await.unwrap();
    for (listed, few, many) in [
        (View::Groups, 1, 2),
        (View::Sessions, 1, 2),
        (View::Approvals, 0, 1),
        (View::Undo, 0, 1),
        (View::Deadletters, 0, 1),
    ] {
        for (all, expect) in [(false, few), (true, many)] {
            let filter = Filter {
                all,
                ..Filter::default()
            };
            let rows = view(&place, listed, &filter).await;
            assert_eq!(rows.rows.len(), expect, "{listed} {all}");
        }
    }
}

#[tokio::test]
async fn rows_are_found_by_what_they_are_known_by() {
    let place = Box::pin(full()).await;
    let code = id(1).code();
    for (listed, known) in [
        (View::Groups, "g1"),
        (View::Conversations, "chat"),
        (View::Users, "ann"),
        (View::Roles, "ann"),
        (View::Members, "ann"),
        (View::Destinations, "chat"),
        (View::Dms, "ann"),
        (View::Dropped, "ann"),
        (View::Approvals, code.as_str()),
        (View::Audit, "1"),
        (View::Undo, "1"),
    ] {
        for (name, expect) in [(known, 1), ("' OR 1 --", 0)] {
            let filter = Filter {
                id: Some(name.to_owned()),
                channel: (!matches!(listed, View::Audit | View::Undo)).then(channel),
                ..Filter::default()
            };
            let rows = view(&place, listed, &filter).await;
            assert_eq!(rows.rows.len(), expect, "{listed} {name}");
        }
    }
}
