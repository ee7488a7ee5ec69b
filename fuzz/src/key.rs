//! Keys: any bytes are a key that says the same again, or none.

use baton_replica::{Key, MapName};

use crate::meter::Meter;

/// Takes the bytes for a key.
pub fn run(bytes: &[u8]) {
    let Ok(key) = Meter::new().bounded(bytes.len(), || Key::from_wire(bytes)) else { return };
    assert_eq!(key.as_bytes(), bytes, "a key is not what was sent");
    assert!(MapName::parse(key.map()).is_ok(), "a key of no map");
    assert_eq!(Key::from_wire(key.as_bytes()).as_ref(), Ok(&key));
    let _ = (key.hash(), format!("{key:?}"));
}

/// The bytes.
pub fn show(bytes: &[u8]) -> String {
    bytes.escape_ascii().to_string()
}

/// A key, and what is almost one.
pub fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    let wire = |map: &str, name: &[u8]| [&[map.len() as u8], map.as_bytes(), name].concat();
    vec![
        ("key", wire("players", b"p/1")),
        ("binary", wire("a-b_c.d", b"\x00\xff\xfe")),
        ("longest", wire(&"m".repeat(63), &[b'k'; 1024])),
        ("no-name", wire("players", b"")),
        ("short-map", b"\xffplayers".to_vec()),
    ]
}
