use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::*;

async fn post(address: SocketAddr, path: &str, content: &Value) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let content = content.to_string();
    let request = format!(
        "POST {path} HTTP/1.1\r\nhost: x\r\nanthropic-version: 1\r\nconnection: close\r\n\
         content-length: {}\r\n\r\n{content}",
        content.len()
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn it_answers_by_its_script_over_both_apis() {
    let fake = FakeModels::new([
        Act::Say("hello you".to_owned()),
        Act::Say("hello you".to_owned()),
        Act::Fail(429, "slow down", Some(7)),
    ]);
    let address = fake.listen().await.unwrap();
    let message = json!({"role": "user", "content": [{"type": "text", "text": "hi"}]});
    let content = json!({"model": "m", "max_tokens": 9, "messages": [message]});
    let answer = post(address, "/v1/messages", &content).await;
    assert!(answer.contains("\"text\":\"hello y\""), "{answer}");
    assert!(answer.contains("event: message_stop"), "{answer}");
    let answer = post(address, "/v1/chat/completions", &content).await;
    assert!(answer.contains("\"content\":\"hello y\""), "{answer}");
    assert!(answer.contains("data: [DONE]"), "{answer}");
    let answer = post(address, "/v1/messages", &content).await;
    assert!(answer.starts_with("HTTP/1.1 429 "), "{answer}");
    assert!(answer.contains("retry-after: 7\r\n"), "{answer}");
    let answer = post(address, "/v1/messages", &content).await;
    assert!(answer.contains("done"), "{answer}");
    assert_eq!(fake.asked().len(), 4);
    assert_eq!(fake.asked()[0].content, content);
}

#[tokio::test]
async fn it_refuses_what_the_real_ones_refuse() {
    let fake = FakeModels::new([]);
    let address = fake.listen().await.unwrap();
    let call = json!({"type": "tool_use", "id": "a", "name": "x", "input": {}});
    let messages = json!([
        {"role": "user", "content": [{"type": "text", "text": "hi"}]},
        {"role": "assistant", "content": [call]},
        {"role": "user", "content": [{"type": "text", "text": "well?"}]},
    ]);
    let content = json!({"model": "m", "max_tokens": 9, "messages": messages});
    let answer = post(address, "/v1/messages", &content).await;
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    assert!(answer.contains("without `tool_result`"), "{answer}");
    let call = json!({"id": "a", "type": "function", "function": {"name": "x", "arguments": ""}});
    let messages = json!([
        {"role": "assistant", "tool_calls": [call]},
        {"role": "user", "content": "well?"},
    ]);
    let content = json!({"model": "m", "messages": messages});
    let answer = post(address, "/chat/completions", &content).await;
    assert!(
        answer.contains("must be followed by tool messages"),
        "{answer}"
    );
    fake.window(10);
    let messages = json!([{"role": "user", "content": "a long one"}]);
    let content = json!({"model": "m", "messages": messages});
    let answer = post(address, "/chat/completions", &content).await;
    assert!(answer.contains("context_length_exceeded"), "{answer}");
}
