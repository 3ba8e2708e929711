//! Lines with a limit, from a stream.

use std::io;

use tokio::io::{AsyncBufReadExt as _, AsyncRead, BufReader};

use crate::wire::LINE_LIMIT_BYTES;

/// What came next.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Line {
    /// A whole line, without its end.
    Whole(Vec<u8>),
    /// More than the limit without an end. The stream can't be read further.
    TooLong,
    /// The end; was it in the middle of a line?
    End {
        /// It was.
        half: bool,
    },
}

/// Reads lines; never holds more than one line of the limit and a small buffer.
#[derive(Debug)]
pub(crate) struct LineReader<R> {
    from: BufReader<R>,
    line: Vec<u8>,
}

impl<R: AsyncRead + Unpin> LineReader<R> {
    pub(crate) fn new(from: R) -> Self {
        Self {
            from: BufReader::new(from),
            line: Vec::new(),
        }
    }

    /// The next line. Can be dropped and called again without losing anything.
    pub(crate) async fn next(&mut self) -> io::Result<Line> {
        loop {
            let chunk = self.from.fill_buf().await?;
            if chunk.is_empty() {
                let half = !self.line.is_empty();
                self.line = Vec::new();
                return Ok(Line::End { half });
            }
            let end = chunk.iter().position(|byte| *byte == b'\n');
            let (part, _) = chunk.split_at(end.unwrap_or(chunk.len()));
            if self.line.len() + part.len() > LINE_LIMIT_BYTES {
                self.line = Vec::new();
                return Ok(Line::TooLong);
            }
            self.line.extend_from_slice(part);
            let used = part.len() + usize::from(end.is_some());
            self.from.consume(used);
            if end.is_some() {
                return Ok(Line::Whole(std::mem::take(&mut self.line)));
            }
        }
    }
}

#[cfg(test)]
mod tests;
