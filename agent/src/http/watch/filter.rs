//! Which events a client asks for.

use baton_replica::MapName;

use crate::engine::{Kind, What};
use crate::http::query::Query;
use crate::presence::is_presence;
use crate::problem::Problem;

const KINDS: [(&[u8], Kind); 5] = [
    (b"change", Kind::Change),
    (b"adopted", Kind::Adopted),
    (b"released", Kind::Released),
    (b"members", Kind::Members),
    (b"presence", Kind::Presence),
];

/// What a client gets who does not say.
const DEFAULT: [Kind; 4] = [Kind::Change, Kind::Adopted, Kind::Released, Kind::Members];

/// Keys of one map or all, and kinds of events.
pub(super) struct Filter {
    map: Option<MapName>,
    prefix: Vec<u8>,
    kinds: Vec<Kind>,
}

// === impl Filter ===

impl Filter {
    pub(super) fn of(query: &Query) -> Result<Self, Problem> {
        let name = |bytes: &[u8]| Ok::<_, Problem>(MapName::parse(&String::from_utf8_lossy(bytes))?);
        let map = query.bytes("map").map(name).transpose()?;
        let prefix = query.prefix()?.to_vec();
        if map.is_none() && !prefix.is_empty() {
            return Err(Problem::invalid("bad_query", "prefix goes with map", "name the map whose keys are meant"));
        }
        let kinds = match query.bytes("events") {
            Some(list) => list.split(|byte| *byte == b',').map(kind).collect::<Result<_, _>>()?,
            None => DEFAULT.to_vec(),
        };
        Ok(Self { map, prefix, kinds })
    }

    /// As what a client gets something that has happened, if it does.
    pub(super) fn kind(&self, what: &What) -> Option<Kind> {
        let is_there = |map: &MapName| {
            what.key().is_none_or(|key| key.map() == map.as_str() && key.name().starts_with(&self.prefix))
        };
        if !self.map.as_ref().is_none_or(is_there) {
            return None;
        }
        let asks = |kind: Kind| self.kinds.contains(&kind).then_some(kind);
        match what {
            What::Change(change) if is_presence(change) => asks(Kind::Presence).or_else(|| asks(Kind::Change)),
            _ => asks(what.kind()),
        }
    }
}

fn kind(name: &[u8]) -> Result<Kind, Problem> {
    let found = KINDS.iter().find(|(known, _)| *known == name).map(|(_, kind)| *kind);
    let hint = "name some of change, adopted, released, members and presence, with commas between";
    found.ok_or_else(|| Problem::invalid("bad_query", "events names a kind of event that there is not", hint))
}
