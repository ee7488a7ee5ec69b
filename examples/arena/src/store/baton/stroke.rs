//! What this pod does to what it owns: batches, in which each operation names the token that it was given.

use bytes::Bytes;
use hyper::{Method, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Baton, JSON, nonsense, refusal};
use crate::store::{Act, Done, StoreError, Stroke};

/// Operations of one batch; the agent takes 1,024.
const BATCH: usize = 1000;

#[derive(Deserialize)]
struct Answer {
    results: Vec<Outcome>,
}

#[derive(Deserialize)]
struct Outcome {
    status: u16,
}

// === impl Baton ===

impl Baton {
    /// It waits for no other pod: what an owner does next makes up for what a crash has taken.
    pub(crate) async fn strike(&self, strokes: &[Stroke]) -> Result<Vec<Done>, StoreError> {
        let url = format!("{}/v1/batch", self.url);
        let mut done = Vec::new();
        for strokes in strokes.chunks(BATCH) {
            let requests: Vec<Value> = strokes.iter().map(request).collect::<Result<_, _>>()?;
            let batch = json!({ "atomic": false, "acks": 0, "requests": requests });
            let reply = self.send(Method::POST, &url, &[JSON], Bytes::from(batch.to_string())).await?;
            if reply.status != StatusCode::OK {
                return Err(refusal(&reply));
            }
            let Answer { results } = serde_json::from_slice(&reply.body).map_err(nonsense)?;
            done.extend(results.iter().map(Outcome::done));
        }
        Ok(done)
    }
}

fn request(stroke: &Stroke) -> Result<Value, StoreError> {
    let Stroke { map, key, token, act } = stroke;
    let mut request = json!({ "map": map, "key": key, "token": token });
    match act {
        Act::Put(value) => {
            request["op"] = json!("put");
            request["json"] = serde_json::from_slice(value).map_err(nonsense)?;
        }
        Act::Delete => request["op"] = json!("delete"),
        Act::Confirm => request["op"] = json!("confirm"),
    }
    Ok(request)
}

// === impl Outcome ===

impl Outcome {
    fn done(&self) -> Done {
        match self.status {
            200..300 | 404 => Done::Yes,
            409 => Done::NotMine,
            _ => Done::NotYet,
        }
    }
}
