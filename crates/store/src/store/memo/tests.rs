use std::convert::Infallible;

use super::{Changes, Memo};

async fn ask(memo: &Memo<&'static str, u32>, changes: &Changes, now: u32) -> u32 {
    let read = async { Ok::<_, Infallible>(now) };
    memo.recall(changes, "key", || Box::pin(read))
        .await
        .unwrap()
}

#[tokio::test]
async fn an_answer_is_kept_until_something_changes() {
    let (memo, changes) = (Memo::default(), Changes::default());
    assert_eq!(ask(&memo, &changes, 1).await, 1);
    assert_eq!(ask(&memo, &changes, 2).await, 1);
    drop(changes.begin());
    assert_eq!(ask(&memo, &changes, 3).await, 3);
}

#[tokio::test]
async fn what_was_read_while_something_changed_is_not_believed_after_it() {
    let (memo, changes) = (Memo::default(), Changes::default());
    let changing = changes.begin();
    assert_eq!(ask(&memo, &changes, 1).await, 1);
    drop(changing);
    assert_eq!(ask(&memo, &changes, 2).await, 2);
}

#[tokio::test]
async fn what_changed_while_it_was_read_is_not_kept() {
    let (memo, changes) = (Memo::default(), Changes::default());
    let read = async {
        drop(changes.begin());
        Ok::<_, Infallible>(1)
    };
    let answer = memo.recall(&changes, "key", || Box::pin(read));
    assert_eq!(answer.await.unwrap(), 1);
    assert_eq!(ask(&memo, &changes, 2).await, 2);
}

#[tokio::test(start_paused = true)]
async fn an_answer_grows_old() {
    let (memo, changes) = (Memo::default(), Changes::default());
    assert_eq!(ask(&memo, &changes, 1).await, 1);
    tokio::time::advance(super::KEPT_FOR).await;
    assert_eq!(ask(&memo, &changes, 2).await, 2);
}
