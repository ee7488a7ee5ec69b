use super::*;
use crate::{Dot, Hlc, MapName, Owner, ReplicaId, Value, Version, VersionVector};

type Item = (Key, Vec<u64>, Entry);

fn id(bits: u64) -> ReplicaId {
    ReplicaId::new(bits).expect("not zero")
}

fn key(name: &[u8]) -> Key {
    Key::new(&MapName::parse("sessions").expect("a name"), name).expect("a key")
}

fn version(writer: u64, counter: u64, body: &'static [u8]) -> Version {
    Version {
        dot: Dot { replica: id(writer), counter },
        hlc: Hlc::from_bits((1_700_000_000_000_u64 << 16).wrapping_add(counter)),
        writer: id(writer),
        value: Some(Value { content_type: Box::default(), body: Bytes::from_static(body) }),
        added: 0,
        owner: None,
        expires_at: None,
    }
}

/// One of each kind, and extremes.
fn items() -> Vec<Item> {
    let dot = Dot { replica: id(9), counter: 4 };
    let since = Dot { replica: id(8), counter: 3 };
    let owner = |replica: Option<ReplicaId>| {
        let since = if replica.is_some() { since } else { dot };
        Some(Box::new(Owner { replica, token: u64::MAX, since, dot, confirmed: replica.is_some() }))
    };
    let typed = Value { content_type: "text/plain".into(), body: Bytes::from_static(b"typed") };
    let plain = version(1, 7, b"a value");
    let siblings = (1..=20).map(|writer| version(writer, u64::MAX - writer, b"")).collect();
    let context: VersionVector = (1..40).map(|bits| (id(bits * 3), bits << 40)).collect();
    vec![
        (key(b"a"), vec![7], Entry::new(vec![plain.clone()], VersionVector::new())),
        (key(b"ab"), vec![], Entry::new(vec![], context)),
        (
            key(b"ab").with_field(b"f").expect("a field"),
            vec![1, 8, u64::MAX],
            Entry::new(siblings, VersionVector::new()),
        ),
        (
            key(&[0xff; 1024]),
            vec![],
            Entry::new(
                vec![Version { value: Some(typed.clone()), owner: owner(Some(id(70))), ..version(2, 1, b"") }],
                VersionVector::new(),
            ),
        ),
        (
            key(b"b"),
            vec![2],
            Entry::new(
                vec![
                    Version { value: None, added: i64::MIN, hlc: Hlc::from_bits(u64::MAX), ..version(2, 3, b"") },
                    Version { value: Some(typed), writer: id(77), expires_at: Some(u64::MAX), ..version(3, 1, b"") },
                    Version { added: 5, owner: owner(None), hlc: Hlc::from_bits(0), ..plain },
                ],
                VersionVector::from_iter([(id(1), 6)]),
            ),
        ),
    ]
}

fn packed(items: &[Item]) -> Bytes {
    let mut packer = Packer::default();
    items.iter().for_each(|(key, slots, entry)| packer.add(key, slots, entry));
    packer.finish().into_bytes()
}

#[test]
fn what_is_packed_is_what_was_there() {
    assert_eq!(unpack(&packed(&items())), Ok(items()));
    assert_eq!(unpack(&[]), Ok(Vec::new()), "nothing is sound");
}

#[test]
fn bytes_that_break_off_anywhere_are_refused_or_end_after_an_item() {
    let bytes = packed(&items());
    for end in 0..bytes.len() {
        if let Ok(first) = unpack(&bytes[..end]) {
            assert_eq!(first, items()[..first.len()]);
        }
    }
}

#[test]
fn one_wrong_byte_anywhere_does_no_harm() {
    let bytes = packed(&items());
    for at in 0..bytes.len() {
        for wrong in [0, 1, 0x7f, 0x80, 0xff] {
            let mut torn = bytes.to_vec();
            torn[at] = wrong;
            // Other bytes may mean something too.
            let _ = unpack(&torn);
        }
    }
}

#[test]
fn few_bytes_do_not_become_many() {
    let long = Entry::default();
    let mut packer = Packer::default();
    (0..40_000).for_each(|_| packer.add(&key(&[b'k'; 1024]), &[], &long));
    let bytes = packer.finish().into_bytes();
    assert!(bytes.len() < 400_000 && unpack(&bytes).is_err(), "forty megabytes of keys");
    // Three bytes an item, a hundred in memory.
    assert!(unpack(&[&[0, 0, 10][..], key(b"name").as_bytes(), &[0, 14, 0].repeat(1 << 18)].concat()).is_err());
    // Versions that are joined each with each.
    let siblings = |count| Entry::new((1..=count).map(|at| version(1, at, b"")).collect(), VersionVector::new());
    let one = |entry| packed(&[(key(b"k"), Vec::new(), entry)]);
    assert!(unpack(&one(siblings(16_384))).is_ok() && unpack(&one(siblings(16_385))).is_err());
    // A head that announces more versions than there are bytes.
    assert!(unpack(&[0x0f, 0xff, 0xff, 0xff, 0xff, 0x0f, 0]).is_err());
}

/// Read without it, all that follows would mean something else.
#[test]
fn what_a_newer_release_might_add_is_refused_and_never_misread() {
    let sound = packed(&items()[..1]);
    // Behind the head come the key (2 lengths, 12 bytes) and a slot (number, difference).
    let (head, flags) = (0, 17);
    assert_eq!((sound[head], sound[flags]), (0x11, 0x02));
    for (at, bit) in [(head, 0x40), (head, 0x80), (flags, 0x80)] {
        let mut newer = sound.to_vec();
        newer[at] |= bit;
        assert_eq!(unpack(&newer), Err(Malformed), "bit {bit:#x} of byte {at}");
    }
}

#[test]
fn a_small_change_takes_little_more_than_its_value() {
    let body = Bytes::from_static(&[7; 100]);
    let item = |number: u64| {
        let version = Version {
            value: Some(Value { content_type: Box::default(), body: body.clone() }),
            ..version(1, number, b"")
        };
        (key(format!("key-{number:010}").as_bytes()), vec![number], Entry::new(vec![version], VersionVector::new()))
    };
    let items: Vec<Item> = (1..=1000).map(item).collect();
    let bytes = packed(&items).len();
    assert!(bytes < 1000 * 115, "{bytes} bytes for a thousand values of 100");
}
