//! Scores and members in replies.

use baton_resp::{Encoder, format_double};

use crate::redis::command::sorted_set::ranking::Ranked;

/// How members are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Show {
    Names,
    /// Each followed by its score; with RESP3 in an array of its own.
    Scores,
    /// Each followed by its score, always.
    Flat,
}

/// A score, or null.
pub(super) fn score(reply: &mut Encoder, score: Option<f64>) {
    match score {
        Some(score) => reply.double(score),
        None => reply.null(),
    }
}

/// A score as a string, whatever the protocol's version.
pub(super) fn score_text(reply: &mut Encoder, score: f64) {
    let mut text = Vec::new();
    format_double(score, &mut text);
    reply.bulk(&text);
}

/// Members, in an array.
pub(super) fn members<'m>(reply: &mut Encoder, members: impl ExactSizeIterator<Item = &'m Ranked>, show: Show) {
    let in_pairs = show == Show::Scores && reply.is_resp3();
    let flat = show != Show::Names && !in_pairs;
    reply.array(if flat { 2 * members.len() } else { members.len() });
    for member in members {
        if in_pairs {
            reply.array(2);
        }
        reply.bulk(&member.name);
        if show != Show::Names {
            reply.double(member.score);
        }
    }
}
