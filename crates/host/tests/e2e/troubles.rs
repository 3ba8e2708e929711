//! Providers that fail, with the real program on both sides of the wall.

use crate::e2e::{harness::Place, wall::Wall};

pub(crate) async fn a_rate_limit_is_waited_for_and_the_message_answered_once(wall: Wall) {
    let mut place = Place::running(wall, "tries = 1").await;
    let mut person = place.person("local").await;
    person.say("!fail rate 2").await;
    person.say("!big 3").await;
    assert_eq!(
        person.hears(2).await,
        ["agent: answered after 1 failures", "agent: 012"]
    );
    place.stop().await;
}

pub(crate) async fn what_is_transient_is_tried_again_until_it_works(wall: Wall) {
    let mut place = Place::running(wall, "tries = 1").await;
    let mut person = place.person("local").await;
    person.say("!fail transient 2").await;
    assert_eq!(person.hears(1).await, ["agent: answered after 2 failures"]);
    place.stop().await;
}

pub(crate) async fn a_lost_conversation_is_begun_afresh_and_the_person_told(wall: Wall) {
    let mut place = Place::running(wall, "").await;
    let mut person = place.person("local").await;
    assert_eq!(person.ask("!remember the keys").await, "agent: remembered");
    assert_eq!(person.ask("!recall").await, "agent: I remember “the keys”");
    person.say("!fail lost\n!recall").await;
    assert_eq!(
        person.hears(4).await[2..],
        [
            "host: The agent's memory of this conversation was lost; it goes on without what was \
             said before.",
            "agent: answered after 1 failures\nI remember nothing"
        ]
    );
    // What is refused for good is said in plain words, and nothing raw.
    assert_eq!(
        person.ask("!fail rejected").await,
        "host: Your message could not be answered: the agent's model refuses to answer it."
    );
    place.stop().await;
}
