use super::*;

#[track_caller]
fn check(content: &[u8], method: &str) {
    let file = OutboundFile {
        name: "a.bin".to_owned(),
        content: content.to_vec(),
    };
    let upload = Upload::of(&file);
    assert_eq!(upload.method(), method);
    match upload.as_document() {
        Some(document) => assert_eq!(document.method(), "sendDocument"),
        None => assert_eq!(method, "sendDocument"),
    }
}

#[test]
fn a_file_is_sent_as_what_it_is() {
    check(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "sendPhoto");
    check(b"\xff\xd8\xff\xe0\0\x10JFIF", "sendPhoto");
    check(b"GIF89a\x01\0\x01\0", "sendAnimation");
    check(b"\0\0\0\x20ftypisom\0\0\x02\0isomiso2avc1mp41", "sendVideo");
    check(b"ID3\x04\0\0\0\0\0\0", "sendAudio");
    check(
        b"OggS\0\x02\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0OpusHead",
        "sendVoice",
    );
    check(b"plain text", "sendDocument");
    check(b"", "sendDocument");
    let mut huge = b"\x89PNG\r\n\x1a\n".to_vec();
    huge.resize(PHOTO_LIMIT_BYTES + 1, 0);
    check(&huge, "sendDocument");
}
