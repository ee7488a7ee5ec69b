//! How many other members must have a write: a number, `majority` or `all`.

use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// How many other members must have a write before it is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Acks {
    /// So many.
    Count(u32),
    /// With the writer's own more than half of the members.
    Majority,
    /// All of them.
    All,
}

struct AcksVisitor;

// === impl Acks ===

impl Default for Acks {
    fn default() -> Self {
        Self::Count(1)
    }
}

impl Serialize for Acks {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Count(count) => serializer.serialize_u32(*count),
            Self::Majority => serializer.serialize_str("majority"),
            Self::All => serializer.serialize_str("all"),
        }
    }
}

impl<'de> Deserialize<'de> for Acks {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AcksVisitor)
    }
}

impl JsonSchema for Acks {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Acks".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "x-kubernetes-int-or-string": true, "nullable": false })
    }
}

// === impl AcksVisitor ===

impl Visitor<'_> for AcksVisitor {
    type Value = Acks;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number of members, \"majority\" or \"all\"")
    }

    fn visit_u64<E: Error>(self, count: u64) -> Result<Acks, E> {
        u32::try_from(count).map(Acks::Count).map_err(|_| E::custom("more members than there can be"))
    }

    fn visit_i64<E: Error>(self, count: i64) -> Result<Acks, E> {
        u64::try_from(count).map_err(|_| E::custom("fewer members than none")).and_then(|count| self.visit_u64(count))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Acks, E> {
        match text {
            "majority" => Ok(Acks::Majority),
            "all" => Ok(Acks::All),
            other => Err(E::unknown_variant(other, &["majority", "all"])),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::Acks;

    #[test]
    fn numbers_and_two_words_are_read_as_they_are_written() {
        for (json, acks) in [
            (json!(0), Acks::Count(0)),
            (json!(2), Acks::Count(2)),
            (json!("majority"), Acks::Majority),
            (json!("all"), Acks::All),
        ] {
            assert_eq!(serde_json::from_value::<Acks>(json.clone()).expect("acks"), acks);
            assert_eq!(serde_json::to_value(acks).expect("json"), json);
        }
    }

    #[test]
    fn what_is_no_number_of_members_is_refused() {
        for json in [json!(-1), json!(1.5), json!("2"), json!("most"), json!(null), json!(u64::MAX)] {
            assert!(serde_json::from_value::<Acks>(json.clone()).is_err(), "{json}");
        }
    }
}
