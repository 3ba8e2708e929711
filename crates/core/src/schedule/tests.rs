use jiff::Timestamp;

use super::*;

fn group(n: u8) -> AgentGroupId {
    AgentGroupId::mint(Timestamp::UNIX_EPOCH, [n; 10])
}

fn session(n: u8) -> SessionId {
    SessionId::mint(Timestamp::UNIX_EPOCH, [n; 10])
}

fn queue(waiting: &[(u8, u8)]) -> FairQueue {
    let mut queue = FairQueue::default();
    for (g, s) in waiting {
        queue.push(group(*g), session(*s));
    }
    queue
}

fn busy(n: u8) -> Running {
    Running {
        session: session(n),
        idle: None,
        idle_limit: Duration::from_mins(10),
        stopping: false,
    }
}

fn idle(n: u8, secs: u64) -> Running {
    Running {
        idle: Some(Duration::from_secs(secs)),
        ..busy(n)
    }
}

fn check(waiting: &[(u8, u8)], running: &[Running], limit: usize, start: &[u8], stop: &[u8]) {
    let sessions = |of: &[u8]| of.iter().map(|n| session(*n)).collect::<Vec<_>>();
    let expect = Plan {
        start: sessions(start),
        stop: sessions(stop),
    };
    assert_eq!(plan(&mut queue(waiting), running, limit), expect);
}

#[test]
fn groups_take_turns_and_each_group_keeps_its_order() {
    let mut queue = queue(&[(1, 11), (1, 12), (1, 13), (2, 21), (3, 31), (1, 11)]);
    assert_eq!(queue.len(), 5);
    let order: Vec<_> = std::iter::from_fn(|| queue.pop()).collect();
    assert_eq!(order, [11, 21, 31, 12, 13].map(session));
}

#[test]
fn a_session_can_leave_the_line() {
    let mut queue = queue(&[(1, 11), (2, 21)]);
    queue.remove(session(11));
    assert!(!queue.contains(session(11)));
    assert_eq!(queue.pop(), Some(session(21)));
    assert!(queue.is_empty());
}

#[test]
fn starts_what_fits_and_no_more() {
    check(&[(1, 11), (1, 12), (2, 21)], &[], 2, &[11, 21], &[]);
    check(&[(1, 11)], &[busy(1), busy(2)], 2, &[], &[]);
    check(&[(1, 11)], &[busy(1), busy(2), busy(3)], 2, &[], &[]);
}

#[test]
fn no_limit_at_all_is_no_work_at_all() {
    check(&[(1, 11)], &[], usize::MAX, &[11], &[]);
}

#[test]
fn stops_what_was_idle_for_its_limit() {
    check(&[], &[idle(1, 599), idle(2, 600), busy(3)], 4, &[], &[2]);
}

#[test]
fn the_longest_idle_make_room_one_for_each_that_waits() {
    let running = [idle(1, 5), idle(2, 50), idle(3, 20)];
    check(&[(1, 11), (1, 12)], &running, 3, &[], &[2, 3]);
}

#[test]
fn room_that_is_being_made_is_not_made_twice() {
    let leaving = Running {
        stopping: true,
        ..idle(2, 50)
    };
    check(&[(1, 11)], &[idle(1, 5), leaving], 2, &[], &[]);
}
