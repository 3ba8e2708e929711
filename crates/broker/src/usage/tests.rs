use super::*;
use crate::ways::Prices;

/// The same whether it comes whole or byte by byte.
fn check(streamed: bool, answer: &str, expect: Option<Usage>) {
    let mut whole = Tap::new(streamed);
    whole.pass(answer.as_bytes());
    assert_eq!(whole.usage(), expect);
    let mut drop_by_drop = Tap::new(streamed);
    for byte in answer.as_bytes() {
        drop_by_drop.pass(&[*byte]);
    }
    assert_eq!(drop_by_drop.usage(), expect);
}

#[test]
fn every_api_tells_its_tokens() {
    check(
        true,
        "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"usage\":{\"input_tokens\":7,\"cache_creation_input_tokens\":5,\"cache_read_input_tokens\":3,\"output_tokens\":1}}}\n\n\
         data: {\"type\":\"content_block_delta\",\"delta\":{\"text\":\"\\\"usage\\\"\"}}\r\n\r\n\
         event: message_delta\ndata: {\"type\":\"message_delta\",\"usage\":{\"output_tokens\":20}}\n\n",
        Some(Usage {
            input: 7,
            output: 20,
            cache_read: 3,
            cache_write: 5,
            reasoning: 0,
        }),
    );
    check(
        true,
        "data: {\"choices\":[],\"usage\":null}\n\ndata: {\"choices\":[],\"usage\":{\"prompt_tokens\":10,\"completion_tokens\":4,\"prompt_tokens_details\":{\"cached_tokens\":6},\"completion_tokens_details\":{\"reasoning_tokens\":2}}}\n\ndata: [DONE]\n\n",
        Some(Usage {
            input: 4,
            output: 4,
            cache_read: 6,
            cache_write: 0,
            reasoning: 2,
        }),
    );
    check(
        true,
        "data: {\"type\":\"response.completed\",\"response\":{\"usage\":{\"input_tokens\":10,\"input_tokens_details\":{\"cached_tokens\":1},\"output_tokens\":3}}}\n\n",
        Some(Usage {
            input: 9,
            output: 3,
            cache_read: 1,
            cache_write: 0,
            reasoning: 0,
        }),
    );
    check(
        false,
        "{\n \"usage\": {\"input_tokens\": 2, \"output_tokens\": 3}\n}",
        Some(Usage {
            input: 2,
            output: 3,
            ..Usage::default()
        }),
    );
    check(true, "data: {\"usage\":\"none\"}\n\n", None);
    check(false, "not json \"usage\"", None);
}

#[test]
fn an_endless_line_is_not_kept() {
    let mut tap = Tap::new(true);
    for _ in 0..10 {
        tap.pass(&vec![b'x'; LOOK_LIMIT_BYTES / 2]);
        assert!(tap.line.capacity() <= 2 * LOOK_LIMIT_BYTES);
    }
    tap.pass(b"\ndata: {\"usage\":{\"output_tokens\":3}}\n");
    assert_eq!(
        tap.usage(),
        Some(Usage {
            output: 3,
            ..Usage::default()
        })
    );
}

#[test]
fn prices_are_of_a_million_tokens() {
    let prices = Prices {
        input: 3_000,
        output: 15_000,
        cache_read: 300,
        cache_write: 3_750,
    };
    let check = |usage: Usage, expect| assert_eq!(prices.cost_micros(&usage), expect);
    check(Usage::default(), 0);
    check(
        Usage {
            input: 1_000_000,
            ..Usage::default()
        },
        3_000_000,
    );
    check(
        Usage {
            cache_read: 1,
            ..Usage::default()
        },
        1,
    );
    check(
        Usage {
            input: 100,
            output: 10,
            cache_read: 1000,
            cache_write: 8,
            reasoning: 5,
        },
        300 + 150 + 300 + 30,
    );
    check(
        Usage {
            output: u64::MAX,
            ..Usage::default()
        },
        u64::MAX.div_ceil(1000),
    );
}
