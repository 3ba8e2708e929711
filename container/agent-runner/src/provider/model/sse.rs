//! The events of a stream, as their bytes come.
//! <https://html.spec.whatwg.org/multipage/server-sent-events.html>

/// The longest event, in bytes.
const EVENT_LIMIT_BYTES: usize = 4 * 1024 * 1024;

/// One event.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Event {
    /// Its data, lines joined.
    pub(crate) data: String,
}

/// A stream that is no stream of events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Malformed;

/// Takes bytes, gives events.
#[derive(Debug, Default)]
pub(crate) struct Events {
    /// What came and is no whole line yet.
    line: Vec<u8>,
    data: Option<String>,
}

impl Events {
    /// The events that these bytes complete.
    pub(crate) fn pass(&mut self, mut bytes: &[u8]) -> Result<Vec<Event>, Malformed> {
        let mut events = Vec::new();
        while let Some(end) = bytes.iter().position(|byte| *byte == b'\n') {
            let (line, rest) = bytes.split_at(end);
            self.keep(line)?;
            events.extend(self.end_line()?);
            bytes = rest.get(1..).unwrap_or_default();
        }
        self.keep(bytes)?;
        Ok(events)
    }

    fn keep(&mut self, bytes: &[u8]) -> Result<(), Malformed> {
        let data = self.data.as_ref().map_or(0, String::len);
        if self.line.len() + bytes.len() + data > EVENT_LIMIT_BYTES {
            return Err(Malformed);
        }
        self.line.extend_from_slice(bytes);
        Ok(())
    }

    fn end_line(&mut self) -> Result<Option<Event>, Malformed> {
        let line = std::mem::take(&mut self.line);
        let line = std::str::from_utf8(&line).map_err(|_no_text| Malformed)?;
        let line = line.strip_suffix('\r').unwrap_or(line);
        if line.is_empty() {
            return Ok(self.data.take().map(|data| Event { data }));
        }
        // What else a line can be says nothing here: names of events are in their data, too.
        if let Some(data) = line.strip_prefix("data:") {
            let data = data.strip_prefix(' ').unwrap_or(data);
            match &mut self.data {
                Some(earlier) => {
                    earlier.push('\n');
                    earlier.push_str(data);
                }
                None => self.data = Some(data.to_owned()),
            }
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(stream: &str, expect: &[&str]) {
        for step in [1, 3, stream.len()] {
            let mut events = Events::default();
            let mut seen = Vec::new();
            for part in stream.as_bytes().chunks(step) {
                seen.extend(events.pass(part).unwrap());
            }
            let data: Vec<&str> = seen.iter().map(|event| event.data.as_str()).collect();
            assert_eq!(data, expect, "{stream:?} by {step}");
        }
    }

    #[test]
    fn events_come_whole_however_their_bytes_come() {
        check(
            "event: a\ndata: {\"x\":1}\n\n: ping\n\ndata:2\r\n\r\n",
            &["{\"x\":1}", "2"],
        );
        check("data: a\ndata: b\n\ndata: unfinished", &["a\nb"]);
        check("id: 7\nretry: 3\n\n", &[]);
        check("data: ü\n\n", &["ü"]);
    }

    #[test]
    fn what_is_no_text_or_has_no_end_is_malformed() {
        assert_eq!(Events::default().pass(b"data: \xff\n"), Err(Malformed));
        let mut events = Events::default();
        let endless = vec![b'x'; 64 * 1024];
        let passed = (0..100).map(|_| events.pass(&endless)).find(Result::is_err);
        assert_eq!(passed, Some(Err(Malformed)));
    }
}
