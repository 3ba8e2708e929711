use super::*;

/// An ELF header with program headers of these kinds.
fn elf(kinds: &[u32]) -> Vec<u8> {
    let mut bytes = vec![0; 64];
    bytes[..6].copy_from_slice(b"\x7fELF\x02\x01");
    bytes[32..40].copy_from_slice(&64_u64.to_le_bytes());
    bytes[54..56].copy_from_slice(&56_u16.to_le_bytes());
    let count = u16::try_from(kinds.len()).unwrap();
    bytes[56..58].copy_from_slice(&count.to_le_bytes());
    for kind in kinds {
        let mut header = vec![0; 56];
        header[..4].copy_from_slice(&kind.to_le_bytes());
        bytes.extend(header);
    }
    bytes
}

#[test]
fn static_and_dynamic_programs_are_told_apart() {
    assert!(!asks_for_a_loader(&elf(&[1, 2, 4])).unwrap());
    assert!(asks_for_a_loader(&elf(&[6, 3, 1])).unwrap());
}

#[test]
fn this_test_itself_is_dynamic() {
    let own = std::env::current_exe().unwrap();
    assert!(asks_for_a_loader(&fs::read(own).unwrap()).unwrap());
}

#[test]
fn other_files_are_errors() {
    assert!(asks_for_a_loader(b"#!/bin/sh\n").is_err());
    let cut = &elf(&[1, 2])[..100];
    assert!(asks_for_a_loader(cut).is_err());
}

#[test]
fn the_host_triple_is_read() {
    let version = "rustc 1.95.0\nbinary: rustc\nhost: x86_64-unknown-linux-gnu\nrelease: 1.95.0\n";
    assert_eq!(triple(version).unwrap(), "x86_64-unknown-linux-gnu");
    assert!(triple("rustc 1.95.0\n").is_err());
}
