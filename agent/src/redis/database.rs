//! Which key of which map a Redis key is.
//!
//! In database 0, `carts:42` is key `42` of map `carts`, where what is before the first colon is the name of a map and
//! something is behind it. Every other key is in map `redis`, with its whole text. Database n is map `redis.n`. So that no
//! two keys are one, these maps are not reached by a prefix: `redis:a` and `redis.3:a` are keys of map `redis`.

use baton_replica::{Key, KeyError, MapName};

/// The map of keys that name none.
const MAP: &[u8] = b"redis";

/// How many databases there are, as Redis has.
pub(super) const DATABASES: u8 = 16;

/// One of the databases.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Database(u8);

// === impl Database ===

impl Database {
    /// The one with a number, if there are so many.
    pub(super) fn new(number: i64) -> Option<Self> {
        u8::try_from(number).ok().filter(|number| *number < DATABASES).map(Self)
    }

    pub(super) const fn number(self) -> u8 {
        self.0
    }

    /// The key that a client means.
    pub(super) fn key(self, text: &[u8]) -> Result<Key, KeyError> {
        if self.0 > 0 {
            return Key::of_parts(&self.own_map(), text);
        }
        match prefixed(text) {
            Some((map, name)) => Key::of_parts(map, name),
            None => Key::of_parts(MAP, text),
        }
    }

    /// What clients call a key; `None` if it has no name in this database.
    pub(super) fn text(self, key: &Key) -> Option<Vec<u8>> {
        let map = key.map().as_bytes();
        if map == self.own_map() {
            // What another front has put there may look like a key of another map.
            let hidden = self.0 == 0 && prefixed(key.name()).is_some();
            return (!hidden).then(|| key.name().to_vec());
        }
        (self.0 == 0 && !is_reserved(map)).then(|| [map, b":", key.name()].concat())
    }

    /// Whether a key has a name in this database.
    pub(super) fn shows(self, key: &Key) -> bool {
        self.text(key).is_some()
    }

    /// The database that has a key, and what clients call it there; `None` if it has no name in any.
    pub(super) fn holding(key: &Key) -> Option<(Self, Vec<u8>)> {
        (0..DATABASES).map(Self).find_map(|database| Some((database, database.text(key)?)))
    }

    /// The only map of the database; `None` for the one that has many.
    pub(super) fn map(self) -> Option<MapName> {
        let name = String::from_utf8(self.own_map()).ok()?;
        MapName::parse(&name).ok().filter(|_| self.0 > 0)
    }

    fn own_map(self) -> Vec<u8> {
        match self.0 {
            0 => MAP.to_vec(),
            number => [MAP, b".", number.to_string().as_bytes()].concat(),
        }
    }
}

/// The map that a key of database 0 names, and the key within it.
fn prefixed(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let colon = text.iter().position(|byte| *byte == b':')?;
    let (map, name) = (&text[..colon], &text[colon + 1..]);
    let names = !name.is_empty() && !is_reserved(map) && Key::is_map(map);
    names.then_some((map, name))
}

/// Whether a map is one of a database.
fn is_reserved(map: &[u8]) -> bool {
    let Some(number) = map.strip_prefix(MAP) else { return false };
    let number = match number {
        [] => return true,
        [b'.', number @ ..] => baton_resp::parse_integer(number),
        _ => return false,
    };
    number.is_some_and(|number| (1..i64::from(DATABASES)).contains(&number))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(number: i64, text: &str) -> (String, String) {
        let key = Database::new(number).expect("a database").key(text.as_bytes()).expect("a key");
        (key.map().to_owned(), key.name().escape_ascii().to_string())
    }

    fn is(map: &str, name: &str) -> (String, String) {
        (map.to_owned(), name.to_owned())
    }

    #[test]
    fn a_prefix_that_is_a_map_name_is_the_map() {
        assert_eq!(at(0, "carts:42"), is("carts", "42"));
        assert_eq!(at(0, "carts:42:items"), is("carts", "42:items"));
        assert_eq!(at(0, "redis.16:a"), is("redis.16", "a"));
    }

    #[test]
    fn every_other_key_is_whole() {
        for text in ["42", "Carts:42", ":42", "carts:", "{carts}:42", "redis:42", "redis.3:42"] {
            assert_eq!(at(0, text), is("redis", text), "{text}");
        }
    }

    #[test]
    fn another_database_is_a_map_of_its_own() {
        assert_eq!(at(3, "carts:42"), is("redis.3", "carts:42"));
        assert_eq!((Database::new(16), Database::new(-1)), (None, None));
    }

    #[test]
    fn a_key_without_a_name_in_a_database_is_not_shown_there() {
        let key = |map: &str, name: &[u8]| Key::of_parts(map.as_bytes(), name).expect("a key");
        let (zero, three) = (Database(0), Database(3));
        assert_eq!(zero.text(&key("carts", b"42")), Some(b"carts:42".to_vec()));
        assert_eq!(zero.text(&key("redis", b"carts:42")), None, "that is a key of map carts");
        assert_eq!(zero.text(&key("redis.3", b"42")), None);
        assert_eq!(three.text(&key("redis.3", b"carts:42")), Some(b"carts:42".to_vec()));
        assert_eq!(three.text(&key("carts", b"42")), None);
    }

    proptest! {
        #[test]
        fn no_two_keys_are_one(
            texts in prop::collection::vec((0_i64..4, "(redis|a|A|redis\\.[0-3])?:?(redis|b|:)?:?c?"), 2),
        ) {
            let keys: Vec<_> = texts.iter().map(|(number, text)| {
                let database = Database::new(*number).expect("a database");
                let key = database.key(text.as_bytes());
                if let Ok(key) = &key {
                    assert_eq!(database.text(key).as_deref(), Some(text.as_bytes()));
                }
                key
            }).collect();
            if let [Ok(a), Ok(b)] = keys.as_slice() {
                prop_assert_eq!(a == b, texts[0] == texts[1]);
            }
        }
    }
}
