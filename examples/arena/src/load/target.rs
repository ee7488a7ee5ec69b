//! Where servers are now: URLs, and a file of URLs, both looked up again and again.
//!
//! A Service's name gives one address, behind which connections are spread; a headless Service's name gives all of
//! its pods; a file stands in for both where there is no Service.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use hyper::Uri;
use tokio::sync::watch;

/// Half a second of old news is what a Service's endpoints have too.
const REFRESH: Duration = Duration::from_millis(500);

/// Flags that say where the game is played.
#[derive(clap::Args, Clone)]
pub(crate) struct Endpoints {
    /// A server or a Service: a base URL. May be given more than once.
    #[arg(long = "url", required_unless_present = "targets_file")]
    urls: Vec<String>,
    /// A file with one base URL per line, read again all the time.
    #[arg(long)]
    targets_file: Option<PathBuf>,
}

// === impl Endpoints ===

impl Endpoints {
    /// The addresses, kept fresh by a task of their own. A look-up that fails or finds nothing keeps the last good list.
    pub(crate) async fn watch(self) -> anyhow::Result<watch::Receiver<Vec<SocketAddr>>> {
        let first = self.look_up().await?;
        let (publish, targets) = watch::channel(first);
        tokio::spawn(async move {
            while !publish.is_closed() {
                tokio::time::sleep(REFRESH).await;
                match self.look_up().await {
                    Ok(found) => publish.send_if_modified(|known| {
                        let news = *known != found;
                        *known = found;
                        news
                    }),
                    Err(error) => {
                        tracing::debug!(%error, "Cannot look the servers up");
                        false
                    }
                };
            }
        });
        Ok(targets)
    }

    /// What the flags and the file say now.
    pub(crate) fn urls(&self) -> anyhow::Result<Vec<String>> {
        let mut urls = self.urls.clone();
        if let Some(file) = &self.targets_file {
            let text = std::fs::read_to_string(file).with_context(|| format!("read {}", file.display()))?;
            urls.extend(text.split_whitespace().map(str::to_owned));
        }
        Ok(urls)
    }

    async fn look_up(&self) -> anyhow::Result<Vec<SocketAddr>> {
        let mut found = addresses(&self.urls()?).await?;
        found.sort_unstable();
        found.dedup();
        anyhow::ensure!(!found.is_empty(), "there is no server");
        Ok(found)
    }
}

/// Every address of every URL.
pub(crate) async fn addresses(urls: &[String]) -> anyhow::Result<Vec<SocketAddr>> {
    let mut found = Vec::new();
    for url in urls {
        let uri: Uri = url.parse().with_context(|| format!("{url} is no URL"))?;
        let host = uri.host().with_context(|| format!("{url} names no host"))?;
        let port = uri.port_u16().unwrap_or(80);
        found.extend(tokio::net::lookup_host((host, port)).await.with_context(|| format!("look up {url}"))?);
    }
    Ok(found)
}
