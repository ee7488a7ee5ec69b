//! SPOP and SRANDMEMBER.

use baton_replica::{Listed, Operation};
use baton_resp::parse_integer;

use crate::redis::call::Call;
use crate::redis::command::draw;
use crate::redis::failure::Failure;
use crate::redis::kind::{Kind, name_of};

/// `SPOP key [count]`. Two pods that do it at the same moment may get the same member.
pub(super) fn pop(call: &mut Call<'_>) -> Result<(), Failure> {
    let key = call.key(1)?;
    let count = match call.arguments.len() {
        2 => None,
        3 => Some(size(call.arguments.get(2))?),
        _ => return Err(Failure::Syntax),
    };
    let popped: Vec<Listed> = call.state.turn([&key], |turn| {
        let all = Kind::Set.fields(turn, &key)?;
        let drawn = draw::some(&all, draw::Count::Different(count.unwrap_or(1)))?;
        turn.write_together(drawn.iter().map(|listed| (listed.key.clone(), Operation::Delete)).collect())?;
        Ok::<_, Failure>(drawn.into_iter().cloned().collect())
    })?;
    match (count, popped.first()) {
        (None, None) => call.reply.null(),
        (None, Some(listed)) => call.reply.bulk(name_of(listed)),
        (Some(_), _) => {
            call.reply.set(popped.len());
            popped.iter().for_each(|listed| call.reply.bulk(name_of(listed)));
        }
    }
    Ok(())
}

/// `SRANDMEMBER key [count]`
pub(super) fn get(call: &mut Call<'_>) -> Result<(), Failure> {
    let key = call.key(1)?;
    let count = match call.arguments.len() {
        2 => None,
        3 => Some(draw::count(call.arguments.get(2))?),
        _ => return Err(Failure::Syntax),
    };
    let all = call.state.turn([&key], |turn| Kind::Set.fields(turn, &key))?;
    let Some(count) = count else {
        match draw::one(&all) {
            Some(listed) => call.reply.bulk(name_of(listed)),
            None => call.reply.null(),
        }
        return Ok(());
    };
    let drawn = draw::some(&all, count)?;
    call.reply.array(drawn.len());
    drawn.into_iter().for_each(|listed| call.reply.bulk(name_of(listed)));
    Ok(())
}

fn size(text: &[u8]) -> Result<usize, Failure> {
    parse_integer(text).and_then(|count| usize::try_from(count).ok()).ok_or(draw::NEGATIVE)
}
