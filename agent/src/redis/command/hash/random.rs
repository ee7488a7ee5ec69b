//! HRANDFIELD.

use crate::redis::call::Call;
use crate::redis::command::draw;
use crate::redis::failure::Failure;
use crate::redis::kind::{Kind, name_of};

/// `HRANDFIELD key [count [WITHVALUES]]`
pub(super) fn get(call: &mut Call<'_>) -> Result<(), Failure> {
    let key = call.key(1)?;
    let arguments = call.arguments;
    let with_values = match arguments.len() {
        2 | 3 => false,
        4 if arguments.get(3).eq_ignore_ascii_case(b"withvalues") => true,
        _ => return Err(Failure::Syntax),
    };
    let count = (arguments.len() > 2).then(|| draw::count(arguments.get(2))).transpose()?;
    let listed = call.state.turn([&key], |turn| Kind::Hash.fields(turn, &key))?;
    let Some(count) = count else {
        match draw::one(&listed) {
            Some(listed) => call.reply.bulk(name_of(listed)),
            None => call.reply.null(),
        }
        return Ok(());
    };
    let drawn = draw::some(&listed, count)?;
    // With RESP3 each pair is an array of its own.
    let in_pairs = with_values && call.reply.is_resp3();
    call.reply.array(if with_values && !in_pairs { 2 * drawn.len() } else { drawn.len() });
    for listed in drawn {
        if in_pairs {
            call.reply.array(2);
        }
        call.reply.bulk(name_of(listed));
        if with_values {
            call.reply.bulk(&listed.read.value.body);
        }
    }
    Ok(())
}
