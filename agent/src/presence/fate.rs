//! What becomes of a presence that this agent has come to own, from where it lived before.

use crate::presence::Home;

/// What there is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// Nothing: who lives there says when it ends.
    Stays,
    /// It lives here now.
    MovesIn,
    /// It has ended, or lingers from now on.
    Ends,
}

/// Who asks.
pub(super) struct Here<'a> {
    pub(super) agent: &'a str,
    pub(super) pod: &'a str,
    /// Whether the session of the presence is open here.
    pub(super) is_open: bool,
    /// Whether the agent that the presence lives with is a member still.
    pub(super) is_member: bool,
}

/// A leaver tends what is its own until its end, whoever has adopted it: its app may live on for a while.
pub(super) fn fate(home: &Home, here: &Here<'_>) -> Fate {
    if home.agent == here.agent {
        return Fate::Stays;
    }
    let is_mine = match home.session {
        Some(_) => here.is_open,
        // An agent that has started again beside the same app.
        None => home.pod == here.pod && !here.is_member,
    };
    match (is_mine, here.is_member) {
        (true, _) => Fate::MovesIn,
        (false, true) => Fate::Stays,
        (false, false) => Fate::Ends,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn home(session: Option<&str>) -> Home {
        Home { agent: "a".into(), pod: "p".into(), session: session.map(str::to_owned), linger_millis: 0 }
    }

    fn here(agent: &'static str, pod: &'static str, is_open: bool, is_member: bool) -> Here<'static> {
        Here { agent, pod, is_open, is_member }
    }

    #[test]
    fn what_lives_with_a_member_stays_and_what_lived_with_one_that_is_gone_ends() {
        for session in [None, Some("s")] {
            assert_eq!(fate(&home(session), &here("a", "p", false, true)), Fate::Stays);
            assert_eq!(fate(&home(session), &here("b", "q", false, true)), Fate::Stays);
            assert_eq!(fate(&home(session), &here("b", "q", false, false)), Fate::Ends);
        }
    }

    #[test]
    fn a_session_takes_with_it_what_is_its_own() {
        assert_eq!(fate(&home(Some("s")), &here("b", "q", true, false)), Fate::MovesIn);
        assert_eq!(fate(&home(Some("s")), &here("b", "p", false, false)), Fate::Ends);
    }

    #[test]
    fn what_is_tied_to_the_pod_outlives_the_agents_process() {
        assert_eq!(fate(&home(None), &here("b", "p", false, false)), Fate::MovesIn);
    }
}
