//! `keys`: what a map holds, as one agent has it.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, percent_encode};
use serde::{Deserialize, Serialize};

use crate::agent::Agent;
use crate::args::KeysArgs;
use crate::cluster::Cluster;
use crate::failure::{Failure, Outcome};
use crate::output::{self, Width};
use crate::table::Table;

/// Keys of one request: the most that agents give.
const PAGE: usize = 1000;

/// Everything but what RFC 3986 calls unreserved: what agents take in paths.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// One key, as agents list it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Entry {
    /// Percent-encoded.
    pub(crate) key: String,
    pub(crate) etag: String,
    pub(crate) content_type: String,
    pub(crate) size: u64,
}

#[derive(Deserialize)]
struct Page {
    entries: Vec<Entry>,
    cursor: Option<String>,
}

/// Keys, and whether there are more of them.
pub(crate) struct Listed {
    pub(crate) entries: Vec<Entry>,
    pub(crate) more: bool,
}

/// Runs the command.
pub(crate) async fn run(cluster: &Cluster, args: &KeysArgs) -> Result<Outcome, Failure> {
    let mut agent = Agent::of(cluster, &args.source).await?;
    let limit = if args.limit == 0 { usize::MAX } else { args.limit };
    let listed = list(&mut agent, &args.map, &args.prefix, limit).await?;
    match args.output.table() {
        None => args.output.document(&listed.entries)?,
        Some(_) if listed.entries.is_empty() => {
            output::note(&format!("The agent of pod {} has no such key in map {}.", agent.pod, args.map));
        }
        Some(width) => output::text(&table(&listed.entries, width).text(0))?,
    }
    if listed.more {
        output::note(&format!("There are more than {limit} keys: --limit lists more, --prefix fewer."));
    }
    Ok(Outcome::Well)
}

/// The keys of a map that begin so, at most so many.
pub(crate) async fn list(agent: &mut Agent, map: &str, prefix: &str, limit: usize) -> Result<Listed, Failure> {
    let mut entries = Vec::new();
    let mut cursor = None;
    loop {
        let path = path(map, prefix, limit - entries.len(), cursor.as_deref());
        let page: Page = agent.json(&path).await?;
        entries.extend(page.entries);
        let more = page.cursor.is_some();
        if !more || entries.len() >= limit {
            return Ok(Listed { entries, more });
        }
        cursor = page.cursor;
    }
}

/// Text as it goes into a path.
pub(crate) fn encode(text: &str) -> String {
    percent_encode(text.as_bytes(), ESCAPED).to_string()
}

/// A key as people read it: its text, or as it is encoded if it is no plain text or looks like something encoded.
pub(crate) fn shown(encoded: &str) -> String {
    let plain = percent_decode_str(encoded).decode_utf8().ok();
    let is_plain = |text: &str| text.trim() == text && !text.chars().any(|c| c.is_control() || c == '%');
    let plain = plain.filter(|text| !text.is_empty() && is_plain(text));
    plain.map_or_else(|| encoded.to_owned(), |text| text.into_owned())
}

fn path(map: &str, prefix: &str, limit: usize, cursor: Option<&str>) -> String {
    let mut path = format!("/v1/maps/{}/entries?limit={}", encode(map), limit.clamp(1, PAGE));
    if !prefix.is_empty() {
        path.push_str(&format!("&prefix={}", encode(prefix)));
    }
    if let Some(cursor) = cursor {
        path.push_str(&format!("&cursor={}", encode(cursor)));
    }
    path
}

fn table(entries: &[Entry], width: Width) -> Table {
    let mut headings = vec!["KEY", "SIZE", "TYPE"];
    if width == Width::Wide {
        headings.extend(["ETAG", "ENCODED"]);
    }
    let mut table = Table::new(&headings);
    for entry in entries {
        let mut cells = vec![shown(&entry.key), entry.size.to_string(), entry.content_type.clone()];
        if width == Width::Wide {
            cells.extend([entry.etag.clone(), entry.key.clone()]);
        }
        table.row(cells);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_shown_as_text_if_they_are_text() {
        assert_eq!(shown("a%2Fb%20c"), "a/b c");
        assert_eq!(shown("%C3%BC"), "ü");
        for other in ["%FF%00", "%1B%5B2J", "a%20", "a%2520", "%0A"] {
            assert_eq!(shown(other), other, "two keys must not look the same");
        }
    }

    #[test]
    fn a_request_names_what_is_wanted_and_a_page_at_most() {
        assert_eq!(path("carts", "", usize::MAX, None), "/v1/maps/carts/entries?limit=1000");
        assert_eq!(path("carts", "a/b&", 5, Some("x=")), "/v1/maps/carts/entries?limit=5&prefix=a%2Fb%26&cursor=x%3D");
    }

    #[test]
    fn the_wide_table_has_what_scripts_need() {
        let entry = Entry { key: "a%2Fb".into(), etag: "\"1-2\"".into(), content_type: String::new(), size: 3 };
        assert_eq!(
            table(std::slice::from_ref(&entry), Width::Narrow).text(0),
            "KEY   SIZE   TYPE\na/b   3      <none>\n"
        );
        assert!(table(&[entry], Width::Wide).text(0).ends_with("\"1-2\"   a%2Fb\n"));
    }
}
