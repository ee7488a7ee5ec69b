//! `get`: the value of a key, as one agent has it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::StatusCode;
use serde::Serialize;
use std::io::IsTerminal;

use crate::agent::{Agent, Reply};
use crate::args::GetArgs;
use crate::cluster::Cluster;
use crate::failure::{Failure, Outcome};
use crate::keys::{encode, shown};
use crate::output;

/// An entry as a document.
#[derive(Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    map: String,
    key: String,
    /// Whose agent said so.
    pod: String,
    etag: String,
    content_type: String,
    size: usize,
    /// How many concurrent values there are, this one included.
    siblings: u32,
    /// The value, if it is text.
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<String>,
    /// The value in base64, if it is not.
    #[serde(skip_serializing_if = "Option::is_none")]
    value_base64: Option<String>,
}

/// Runs the command.
pub(crate) async fn run(cluster: &Cluster, args: &GetArgs) -> Result<Outcome, Failure> {
    let mut agent = Agent::of(cluster, &args.source).await?;
    let key = if args.encoded { args.key.clone() } else { encode(&args.key) };
    let reply = agent.get(&format!("/v1/maps/{}/entries/{key}", encode(&args.map))).await?;
    match reply.status {
        StatusCode::OK => {}
        StatusCode::NOT_FOUND => return Err(absent(&args.map, &shown(&key), &agent.pod)),
        _ => return Err(reply.refusal(&agent.pod)),
    }
    let document = document(&args.map, &key, &agent.pod, &reply);
    if args.output.table().is_none() {
        return args.output.document(&document).map(|()| Outcome::Well);
    }
    output::bytes(&reply.body)?;
    if std::io::stdout().is_terminal() && !reply.body.ends_with(b"\n") {
        output::text("\n")?;
    }
    if document.siblings > 1 {
        output::note(&format!(
            "The key has {} concurrent values; this one wins until the next write.",
            document.siblings
        ));
    }
    Ok(Outcome::Well)
}

fn absent(map: &str, key: &str, pod: &str) -> Failure {
    Failure::new(format!("map {map} has no key {key:?}, as the agent of pod {pod} has it"))
        .hint(format!("`kubectl baton keys {map}` lists what there is"))
}

fn document(map: &str, key: &str, pod: &str, reply: &Reply) -> Document {
    let text = std::str::from_utf8(&reply.body).ok().map(str::to_owned);
    let header = |name| reply.header(name).unwrap_or_default();
    Document {
        map: map.to_owned(),
        key: key.to_owned(),
        pod: pod.to_owned(),
        etag: header("etag").to_owned(),
        content_type: header("content-type").to_owned(),
        size: reply.body.len(),
        siblings: header("baton-siblings").parse().unwrap_or(1),
        value_base64: text.is_none().then(|| STANDARD.encode(&reply.body)),
        value: text,
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use hyper::header::{HeaderMap, HeaderValue};

    use super::*;

    #[test]
    fn a_value_that_is_no_text_is_in_base64() {
        let mut headers = HeaderMap::new();
        headers.insert("baton-siblings", HeaderValue::from_static("2"));
        let mut reply = Reply { status: StatusCode::OK, headers, body: Bytes::from_static(b"[]") };
        let text = document("carts", "ann", "web-1", &reply);
        assert_eq!((text.value.as_deref(), text.value_base64, text.siblings), (Some("[]"), None, 2));
        reply.body = Bytes::from_static(b"\xff\x00");
        let binary = document("carts", "ann", "web-1", &reply);
        assert_eq!((binary.value, binary.value_base64.as_deref(), binary.size), (None, Some("/wA="), 2));
    }
}
