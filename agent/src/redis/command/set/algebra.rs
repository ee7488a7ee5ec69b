//! SUNION, SINTER and SDIFF: several sets, looked at in one step.

use std::collections::BTreeSet;

use baton_replica::Key;
use bytes::Bytes;

use crate::engine::Turn;
use crate::redis::call::Call;
use crate::redis::connection::MAX_REPLY;
use crate::redis::failure::Failure;
use crate::redis::kind::{Kind, name_of};

/// What becomes of a name by the next set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rule {
    /// All names of each.
    Union,
    /// It stays if it is in that too.
    Intersection,
    /// It stays if it is not.
    Difference,
}

pub(super) fn union(call: &mut Call<'_>) -> Result<(), Failure> {
    combine(call, Rule::Union)
}

pub(super) fn intersection(call: &mut Call<'_>) -> Result<(), Failure> {
    combine(call, Rule::Intersection)
}

pub(super) fn difference(call: &mut Call<'_>) -> Result<(), Failure> {
    combine(call, Rule::Difference)
}

fn combine(call: &mut Call<'_>, rule: Rule) -> Result<(), Failure> {
    let keys = call.keys(1, 1)?;
    let names = call.state.turn(&keys, |turn| rule.apply(turn, &keys))?;
    call.reply.set(names.len());
    names.iter().for_each(|name| call.reply.bulk(name));
    Ok(())
}

// === impl Rule ===

impl Rule {
    /// Looks at one set after the other, at each once.
    fn apply(self, turn: &Turn<'_>, keys: &[Key]) -> Result<BTreeSet<Bytes>, Failure> {
        let mut names: BTreeSet<Bytes> = BTreeSet::new();
        let mut seen = BTreeSet::new();
        let mut bytes = 0;
        for (at, key) in keys.iter().enumerate() {
            // Only what is taken from itself changes by being named again.
            let again = !seen.insert(key);
            if again && self == Self::Difference && *key == keys[0] {
                names.clear();
            }
            if again {
                continue;
            }
            let listed = Kind::Set.fields(turn, key)?;
            if at == 0 || self == Self::Union {
                for name in listed.iter().map(name_of) {
                    bytes += if names.insert(Bytes::copy_from_slice(name)) { name.len() } else { 0 };
                }
                // More than that is never answered.
                if bytes > MAX_REPLY {
                    return Err(Failure::ReplyTooLarge);
                }
                continue;
            }
            let next: BTreeSet<&[u8]> = listed.iter().map(name_of).collect();
            names.retain(|name| next.contains(&name[..]) == (self == Self::Intersection));
        }
        Ok(names)
    }
}
