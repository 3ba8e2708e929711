use super::*;

fn place(chat: &str, thread: Option<&str>) -> Place {
    Place {
        chat: chat.to_owned(),
        thread: thread.map(str::to_owned),
    }
}

fn due(marks: &Marks, now: i64) -> Vec<(Place, String)> {
    let due = marks.due(Timestamp::from_second(now).unwrap());
    due.iter()
        .map(|mark| (mark.place(), mark.ts().to_owned()))
        .collect()
}

#[test]
fn what_begins_a_thread_is_in_the_conversation_too() {
    let mut marks = Marks::default();
    marks.note(&place("C1", Some("1000.000001")), "1000.000001");
    marks.note(&place("C1", Some("1000.000001")), "1005.000001");
    marks.note(&place("D1", None), "1002.000001");
    // An older one that comes late moves nothing.
    marks.note(&place("D1", None), "1001.000001");
    let expect = |chat, thread, ts: &str| (place(chat, thread), ts.to_owned());
    assert_eq!(
        due(&marks, 1010),
        [
            expect("C1", None, "1000.000001"),
            expect("D1", None, "1002.000001"),
            expect("C1", Some("1000.000001"), "1005.000001"),
        ]
    );
}

#[test]
fn what_has_been_silent_for_long_is_not_asked_for() {
    let mut marks = Marks::default();
    marks.note(&place("D1", None), "1000.000001");
    assert_eq!(due(&marks, 1000 + 8 * 24 * 3600), []);
}

#[test]
fn only_so_many_are_kept_and_they_fit_into_a_cursor() {
    let mut marks = Marks::default();
    for number in 0..1_000 {
        let ts = format!("{}.000001", 1_700_000_000 + number);
        marks.note(&place("C0123456789", Some(&ts)), &ts);
    }
    assert_eq!(marks.all.len(), LIMIT);
    let text = serde_json::to_string(&marks.all).unwrap();
    assert!(text.len() < anchorhold_channel::cursor::VALUE_LIMIT_BYTES / 2);
}
