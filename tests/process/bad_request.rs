//! Each request that cannot be served gets its own status, a code, a sentence and what to do; no accepted write is lost.

use std::time::Duration;

use anyhow::{Result, ensure};
use baton_tests::agent::Agent;
use baton_tests::group::Group;
use baton_tests::http::Http;
use baton_tests::scene::{self, Failure};
use baton_tests::wait::PATIENCE;

/// The limit that the agents are started with.
const MAX_VALUE: usize = 64 * 1024;

/// A request, and the status of its answer.
struct Case<'a> {
    what: &'a str,
    method: &'a str,
    path: String,
    headers: &'a [(&'a str, &'a str)],
    body: &'a [u8],
    status: u16,
}

#[test]
fn bad_requests_get_clear_errors_and_lose_nothing() -> Result<(), Failure> {
    scene::run(|folder| {
        let limit = MAX_VALUE.to_string();
        let mut group = Group::new(folder).with_flags(&["--max-value-bytes", &limit]).with_pods(2)?;
        group.start_apps("");
        group.play(Duration::from_millis(300));
        for pod in &group.pods {
            refusals(&pod.agent)?;
            conditions(&pod.agent)?;
        }
        group.play(Duration::from_millis(300));
        group.check()
    })
}

fn refusals(agent: &Agent) -> Result<()> {
    let long_key = format!("/v1/maps/m/entries/{}", "k".repeat(1025));
    let long_map = format!("/v1/maps/{}/entries/k", "m".repeat(64));
    let large = vec![b'x'; MAX_VALUE + 1];
    let entry = "/v1/maps/m/entries/k";
    let case = |what, method, path: &str, headers, body, status| {
        let path = path.to_owned();
        Case { what, method, path, headers, body, status }
    };
    let etag: &[(&str, &str)] = &[("if-match", "not an etag")];
    let cases = [
        case("a key over 1 KiB", "PUT", &long_key, &[], b"x", 400),
        case("a value over the limit", "PUT", entry, &[], &large, 413),
        case("an unknown map name form", "PUT", "/v1/maps/Not_A_Map/entries/k", &[], b"x", 400),
        case("a map name that is too long", "GET", &long_map, &[], b"", 400),
        case("a map name with a dot at its end", "GET", "/v1/maps/m./entries/k", &[], b"", 400),
        case("acks that are no number", "PUT", "/v1/maps/m/entries/k?acks=some", &[], b"x", 400),
        case("acks below zero", "PUT", "/v1/maps/m/entries/k?acks=-1", &[], b"x", 400),
        case("an etag without quotes", "PUT", entry, etag, b"x", 400),
        case("a key that is bad percent-encoding", "PUT", "/v1/maps/m/entries/%zz", &[], b"x", 400),
        case("a cursor that was never given", "GET", "/v1/maps/m/entries?cursor=nonsense%21", &[], b"", 400),
        case("a limit that is no number", "GET", "/v1/maps/m/entries?limit=many", &[], b"", 400),
        case("a key that is not there", "GET", "/v1/maps/m/entries/nobody", &[], b"", 404),
        case("a path that is not there", "GET", "/v1/nothing", &[], b"", 404),
        case("a method that is not there", "POST", entry, &[], b"x", 405),
    ];
    let http = Http::new(PATIENCE);
    for Case { what, method, path, headers, body, status } in cases {
        let reply = http.send(method, &format!("{}{path}", agent.url()), headers, body)?;
        ensure!(reply.status == status, "{what}: expected {status}, got {reply}");
        let json = reply.json()?;
        for part in ["code", "message", "hint"] {
            let text = json[part].as_str().unwrap_or_default();
            ensure!(!text.is_empty(), "{what}: the error has no {part}: {reply}");
        }
    }
    Ok(())
}

/// Conditional writes: a wrong ETag writes nothing, the right one does.
fn conditions(agent: &Agent) -> Result<()> {
    let http = Http::new(PATIENCE);
    let url = format!("{}/v1/maps/conditions/entries/{}", agent.url(), agent.name());
    let put = |headers: &[(&str, &str)], body: &[u8]| http.send("PUT", &url, headers, body);
    let first = put(&[("if-none-match", "*"), ("content-type", "text/plain")], b"one")?;
    ensure!(first.status == 201, "{first}");
    let old = first.header("etag").unwrap_or_default().to_owned();
    let again = put(&[("if-none-match", "*")], b"two")?;
    ensure!(again.status == 412, "{again}");
    let second = put(&[("if-match", &old), ("content-type", "text/plain")], b"two")?;
    ensure!(second.status == 200, "{second}");
    let stale = put(&[("if-match", &old)], b"three")?;
    ensure!(stale.status == 412 && !stale.json()?["message"].is_null(), "{stale}");
    let found = http.get(&url)?;
    let (kind, etag) = (found.header("content-type"), found.header("etag"));
    ensure!(found.body == b"two" && kind == Some("text/plain") && etag == second.header("etag"), "{found}");
    let head = http.send("HEAD", &url, &[], &[])?;
    ensure!(head.status == 200 && head.header("etag") == etag && head.body.is_empty(), "{head}");
    let gone = http.send("DELETE", &url, &[("if-match", &old)], &[])?;
    ensure!(gone.status == 412, "{gone}");
    let gone = http.send("DELETE", &url, &[], &[])?;
    ensure!(gone.status == 204, "{gone}");
    ensure!(http.get(&url)?.status == 404, "it is still there");
    Ok(())
}
