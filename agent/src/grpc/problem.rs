//! Problems as gRPC says them: a status, with the code and the hint of the HTTP API as metadata.

use baton_api as api;
use tonic::metadata::{MetadataMap, MetadataValue};
use tonic::{Code, Status};

use crate::problem::{Kind, Problem};

impl From<Problem> for Status {
    fn from(problem: Problem) -> Self {
        let mut metadata = MetadataMap::new();
        let version = problem.tag.as_ref().map(ToString::to_string).unwrap_or_default();
        for (name, text) in [("baton-code", problem.code), ("baton-hint", &problem.hint), ("baton-version", &version)] {
            if let Ok(value) = MetadataValue::try_from(text)
                && !text.is_empty()
            {
                metadata.insert(name, value);
            }
        }
        Self::with_metadata(code(problem.kind), problem.message, metadata)
    }
}

impl From<Problem> for api::Problem {
    fn from(problem: Problem) -> Self {
        Self {
            code: problem.code.to_owned(),
            message: problem.message,
            hint: problem.hint.into_owned(),
            version: problem.tag.as_ref().map(ToString::to_string).unwrap_or_default(),
        }
    }
}

const fn code(kind: Kind) -> Code {
    match kind {
        Kind::Invalid => Code::InvalidArgument,
        Kind::NotFound => Code::NotFound,
        Kind::Method => Code::Unimplemented,
        Kind::Conflict => Code::FailedPrecondition,
        // Who reads again and decides anew may succeed.
        Kind::Precondition | Kind::Dependency => Code::Aborted,
        Kind::TooLarge | Kind::Full => Code::ResourceExhausted,
        Kind::TooSlow | Kind::Unacknowledged => Code::DeadlineExceeded,
        Kind::Unavailable => Code::Unavailable,
    }
}
