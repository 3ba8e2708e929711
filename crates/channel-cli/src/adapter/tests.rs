use super::*;

/// A client that acknowledged and went was taken for one that never did, if its word came while it
/// was looked whether anybody is left.
#[tokio::test]
async fn the_word_of_a_client_that_goes_counts() {
    let (ack_tx, mut ack_rx) = mpsc::channel(1);
    let acknowledges_and_goes = async { ack_tx.try_send(()).unwrap() };
    first_word(&mut ack_rx, acknowledges_and_goes)
        .await
        .unwrap();
    let gone = first_word(&mut ack_rx, std::future::ready(())).await;
    assert!(matches!(gone, Err(ChannelError::Absent)), "{gone:?}");
}
