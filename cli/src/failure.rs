//! Why something was not done, what to do about it, and what the exit code says.

use std::fmt;
use std::process::ExitCode;

use kube::core::response::StatusSummary;

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Done, and all is well: 0.
    Well,
    /// Not done: 1.
    NotDone,
    /// Done, but something is not well: 3.
    Unwell,
    /// Not done in time: 4.
    Late,
}

/// What stands between a command and its end. Nothing was changed, unless the message says so.
#[derive(Debug, thiserror::Error)]
pub(crate) struct Failure {
    outcome: Outcome,
    message: String,
    hint: Option<String>,
    lasting: bool,
}

// === impl Outcome ===

impl From<Outcome> for ExitCode {
    fn from(outcome: Outcome) -> Self {
        Self::from(match outcome {
            Outcome::Well => 0,
            Outcome::NotDone => 1,
            Outcome::Unwell => 3,
            Outcome::Late => 4,
        })
    }
}

// === impl Failure ===

impl Failure {
    /// It could not be done.
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self { outcome: Outcome::NotDone, message: message.into(), hint: None, lasting: false }
    }

    /// The same, with what to do.
    pub(crate) fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }

    /// The same, with another exit code.
    pub(crate) fn ends(self, outcome: Outcome) -> Self {
        Self { outcome, ..self }
    }

    /// The same, and it does not help to try again.
    pub(crate) fn lasting(self) -> Self {
        Self { lasting: true, ..self }
    }

    /// Whether it does not help to try again.
    pub(crate) const fn is_lasting(&self) -> bool {
        self.lasting
    }

    /// The API server did not do what was asked. `what` completes "cannot".
    pub(crate) fn of(error: &kube::Error, what: &str) -> Self {
        let failure = Self::new(format!("cannot {what}: {}", sentence(error)));
        match error {
            kube::Error::Api(status) if status.code == 403 => {
                failure.hint("ask for the rights that docs/cli.md lists, or use another --context")
            }
            kube::Error::Api(status) if status.code == 404 && is_unknown_kind(status) => {
                failure.hint("Baton's custom resources are not installed here: `kubectl baton doctor` says more")
            }
            kube::Error::Api(_) => failure,
            _ => {
                failure.hint("see whether `kubectl get --raw /readyz` answers with the same --context and --kubeconfig")
            }
        }
    }

    /// The exit code.
    pub(crate) const fn outcome(&self) -> Outcome {
        self.outcome
    }

    /// Says it to the person.
    pub(crate) fn tell(&self) {
        crate::output::note(&format!("error: {}", self.message));
        if let Some(hint) = &self.hint {
            crate::output::note(&format!("hint: {hint}"));
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// What went wrong, without the frame that the client puts around it.
pub(crate) fn sentence(error: &kube::Error) -> String {
    if let kube::Error::Api(status) = error {
        return status.message.clone();
    }
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text
}

/// Whether the server knows no such kind at all: what it says of an object that is not there names the object.
fn is_unknown_kind(status: &kube::core::Status) -> bool {
    status.status != Some(StatusSummary::Success)
        && status.details.as_ref().is_none_or(|details| details.name.is_empty())
}
