use anchorhold_core::guard::code_hash;

use crate::{
    pairing::Pairing,
    tests::fixture::{Place, at, channel},
};

fn open(code: &str) -> Pairing {
    Pairing {
        salt: "aa".to_owned(),
        code_hash: code_hash("aa", code),
        tries_left: 2,
        expires_at: at(100),
    }
}

#[tokio::test]
async fn a_code_is_used_once_and_in_time() {
    let place = Place::new().await;
    let (store, channel) = (&place.store, channel());
    let (old, new) = (open("123456"), open("654321"));
    for pairing in [&old, &new] {
        store.open_pairing(&channel, pairing, at(1)).await.unwrap();
    }
    let known = store.pairing(&channel).await.unwrap();
    assert_eq!(known.as_ref(), Some(&new));
    assert!(!format!("{known:?}").contains(&new.code_hash));
    for (pairing, when, expect) in [
        (&old, 2, false),
        (&new, 100, false),
        (&new, 99, true),
        (&new, 99, false),
    ] {
        let taken = store.take_pairing(&channel, &pairing.code_hash, at(when));
        assert_eq!(taken.await.unwrap(), expect, "{when}");
    }
    assert_eq!(store.pairing(&channel).await.unwrap(), None);
}

#[tokio::test]
async fn a_code_is_gone_after_so_many_wrong_ones() {
    let place = Place::new().await;
    let (store, channel) = (&place.store, channel());
    let pairing = open("123456");
    store.open_pairing(&channel, &pairing, at(1)).await.unwrap();
    for left in [1, 0, 0] {
        assert_eq!(store.miss_pairing(&channel).await.unwrap(), left);
    }
    let taken = store.take_pairing(&channel, &pairing.code_hash, at(2));
    assert!(!taken.await.unwrap());
}
