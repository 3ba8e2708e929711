use anchorhold_core::guard::{Denial, Ruling};

use crate::{
    audit::{AuditEntry, AuditRuling},
    tests::fixture::{Place, at},
};

#[tokio::test]
async fn the_newest_lines_are_kept_and_long_ones_are_cut() {
    let place = Place::new().await;
    place
        .sql(
            "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10050)
             INSERT INTO audit (at, actor, act, detail, ruling)
             SELECT i, 'operator', 'restore', '', 'allowed' FROM n",
        )
        .await
        .unwrap();
    let long = "\u{e9}".repeat(5000);
    let entry = AuditEntry {
        actor: "operator",
        act: "restore",
        detail: &long,
        ruling: AuditRuling::Refused,
    };
    for _ in 0..2 {
        place.store.audit(&entry, at(1)).await.unwrap();
        assert_eq!(place.number("SELECT COUNT(*) FROM audit").await, 10_000);
    }
    let length = "SELECT length(detail) FROM audit ORDER BY id DESC LIMIT 1";
    assert_eq!(place.number(length).await, 1000);
}

#[test]
fn every_ruling_has_its_word() {
    for (ruling, expect) in [
        (Ruling::Allow, AuditRuling::Allowed),
        (Ruling::Hold, AuditRuling::Held),
        (Ruling::Deny(Denial::OutOfScope), AuditRuling::Denied),
    ] {
        assert_eq!(AuditRuling::from(ruling), expect);
    }
}
