use anchorhold_core::{guard::act::Target, ids::FolderName};

use crate::{
    Disposition,
    destinations::Destination,
    tests::fixture::{Place, at, group},
};

#[tokio::test]
async fn a_name_stands_for_one_place_of_its_group() {
    let place = Place::new().await;
    let store = &place.store;
    let (here, there) = (place.group(1).await, place.group(2).await);
    let name = FolderName::parse("there").unwrap();
    let chat = Target::Conversation(place.conversation("chat").await);
    let agent = Target::Agent(there);
    let add = async |group, target| store.add_destination(group, &name, target, at(1)).await;
    assert!(add(here, &chat).await.unwrap());
    assert!(!add(here, &agent).await.unwrap());
    assert!(add(there, &agent).await.unwrap());
    let expect = |target: &Target| Destination {
        name: name.clone(),
        target: target.clone(),
        created_at: at(1),
        wiring: None,
    };
    assert_eq!(store.destinations(here).await.unwrap(), [expect(&chat)]);
    assert_eq!(store.destinations(there).await.unwrap(), [expect(&agent)]);
    assert!(store.remove_destination(here, &name).await.unwrap());
    assert!(!store.remove_destination(here, &name).await.unwrap());
    assert_eq!(store.destinations(here).await.unwrap(), []);
    let nowhere = Target::Agent(group(9).id);
    let refused = add(here, &nowhere).await.unwrap_err();
    assert_eq!(refused.disposition(), Disposition::Refused);
}
