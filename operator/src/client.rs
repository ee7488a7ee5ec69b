//! The client of the API server: it never waits for ever, and never longer than who uses it thinks.
//!
//! kube's own default waits without end for an answer, and tries again by itself, with pauses of minutes, what the API
//! server refuses for the moment. A watch would then be blind for as long, and nobody would hear of it.

use std::time::Duration;

use kube::{Client, Config};

use crate::feed::WATCH_SECONDS;

/// How long the API server may keep silent on a connection where something is waited for. The longest that anybody waits
/// for is a watch without news, which the API server ends itself before that.
const SILENCE: Duration = Duration::from_secs(WATCH_SECONDS as u64 + 10);

/// A client for this configuration.
pub(crate) fn client(config: Config) -> kube::Result<Client> {
    bounded(config, SILENCE)
}

fn bounded(mut config: Config, silence: Duration) -> kube::Result<Client> {
    config.read_timeout = Some(silence);
    config.reset_reader_on_write = true;
    config.default_retry = false;
    Client::try_from(config)
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::Pod;
    use kube::Api;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};

    use super::*;
    use crate::fixture::PATIENCE;

    /// An API server of one connection, and a client of it.
    async fn server() -> (TcpListener, Config) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        (listener, Config::new(url.parse().expect("a URL")))
    }

    /// Reads one request.
    async fn request(listener: &TcpListener) -> TcpStream {
        let (mut stream, _) = listener.accept().await.expect("a connection");
        let read = stream.read(&mut [0; 4096]).await.expect("a request");
        assert_ne!(read, 0);
        stream
    }

    #[tokio::test]
    async fn who_gets_no_answer_hears_of_it() {
        let (listener, config) = server().await;
        let client = bounded(config, Duration::from_millis(100)).expect("a client");
        let list = tokio::spawn(async move { Api::<Pod>::all(client).list(&Default::default()).await });
        let _silent = request(&listener).await;
        let answer = tokio::time::timeout(PATIENCE, list).await.expect("it does not wait for ever").expect("no panic");
        assert!(answer.is_err());
    }

    #[tokio::test]
    async fn who_is_refused_hears_of_it_at_once() {
        let (listener, config) = server().await;
        let client = client(config).expect("a client");
        let list = tokio::spawn(async move { Api::<Pod>::all(client).list(&Default::default()).await });
        let mut stream = request(&listener).await;
        let refusal = b"HTTP/1.1 429 Too Many Requests\r\nretry-after: 1\r\ncontent-length: 0\r\n\r\n";
        stream.write_all(refusal).await.expect("an answer");
        let answer = tokio::time::timeout(PATIENCE, list).await.expect("it is not tried again").expect("no panic");
        assert!(answer.is_err());
    }
}
