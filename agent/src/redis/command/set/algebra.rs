//! SUNION, SINTER and SDIFF: several sets, looked at in one step.

use std::collections::BTreeSet;

use bytes::Bytes;

use crate::redis::call::Call;
use crate::redis::failure::Failure;
use crate::redis::kind::{Kind, name_of};

pub(super) fn union(call: &mut Call<'_>) -> Result<(), Failure> {
    combine(call, |all, next| all.extend(next))
}

pub(super) fn intersection(call: &mut Call<'_>) -> Result<(), Failure> {
    combine(call, |all, next| all.retain(|name| next.contains(name)))
}

pub(super) fn difference(call: &mut Call<'_>) -> Result<(), Failure> {
    combine(call, |all, next| all.retain(|name| !next.contains(name)))
}

fn combine(call: &mut Call<'_>, take: impl Fn(&mut BTreeSet<Bytes>, BTreeSet<Bytes>)) -> Result<(), Failure> {
    let keys = call.keys(1, 1)?;
    let names: BTreeSet<Bytes> = call.state.turn(&keys, |turn| {
        let mut sets = Vec::with_capacity(keys.len());
        for key in &keys {
            let listed = Kind::Set.fields(turn, key)?;
            sets.push(listed.iter().map(|listed| Bytes::copy_from_slice(name_of(listed))).collect());
        }
        let mut sets = sets.into_iter();
        let mut all: BTreeSet<Bytes> = sets.next().unwrap_or_default();
        sets.for_each(|next| take(&mut all, next));
        Ok::<_, Failure>(all)
    })?;
    call.reply.set(names.len());
    names.iter().for_each(|name| call.reply.bulk(name));
    Ok(())
}
