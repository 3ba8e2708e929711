use super::*;

async fn read(input: &[u8]) -> Vec<Line> {
    let mut lines = LineReader::new(input);
    let mut found = Vec::new();
    loop {
        let line = lines.next().await.unwrap();
        let last = !matches!(line, Line::Whole(_));
        found.push(line);
        if last {
            return found;
        }
    }
}

fn whole(text: &str) -> Line {
    Line::Whole(text.into())
}

#[tokio::test]
async fn lines_are_whole_or_not_at_all() {
    let end = |half| Line::End { half };
    assert_eq!(read(b"").await, [end(false)]);
    assert_eq!(
        read(b"a\n\nbc\n").await,
        [whole("a"), whole(""), whole("bc"), end(false)]
    );
    assert_eq!(read(b"a\nhalf").await, [whole("a"), end(true)]);
}

#[tokio::test]
async fn a_line_has_a_limit() {
    let mut input = vec![b'x'; LINE_LIMIT_BYTES];
    input.push(b'\n');
    let found = read(&input).await;
    assert!(matches!(&found[0], Line::Whole(line) if line.len() == LINE_LIMIT_BYTES));
    input.insert(0, b'x');
    assert_eq!(read(&input).await, [Line::TooLong]);
}
