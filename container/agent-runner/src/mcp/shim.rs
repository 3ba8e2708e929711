//! The server's other end, as harnesses start servers: a program with standard input and output.

use std::{
    io::{self, Read, Write},
    net::Shutdown,
    os::unix::net::UnixStream,
    thread,
};

use camino::Utf8Path;

/// The most that is passed on at once, in bytes.
const CHUNK_BYTES: usize = 64 * 1024;

/// Passes on what comes over `input` to the server at `socket`, and back into `output`, until the
/// server hangs up. Blocks.
pub fn run(
    socket: &Utf8Path,
    input: impl Read + Send + 'static,
    output: impl Write,
) -> io::Result<()> {
    let to_server = UnixStream::connect(socket)?;
    let from_server = to_server.try_clone()?;
    // It ends with its input, or with the process.
    thread::spawn(move || {
        let mut to_server = to_server;
        // silent: either side has gone, which the other direction sees, too
        drop(pass_on(input, &mut to_server));
        drop(to_server.shutdown(Shutdown::Write));
    });
    pass_on(from_server, output)
}

/// Each piece at once, since the other side waits for it.
fn pass_on(mut from: impl Read, mut to: impl Write) -> io::Result<()> {
    let mut chunk = vec![0; CHUNK_BYTES];
    loop {
        let len = match from.read(&mut chunk) {
            Ok(0) => return Ok(()),
            Ok(len) => len,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        to.write_all(chunk.get(..len).unwrap_or_default())?;
        to.flush()?;
    }
}
