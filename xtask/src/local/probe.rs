//! What a kubelet's httpGet probe does.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use super::process::Process;

const TIMEOUT: Duration = Duration::from_secs(1);
const PERIOD: Duration = Duration::from_millis(50);

/// Asks until the answer is 200, the process has ended, or `limit` is over.
pub(crate) fn wait(process: &mut Process, port: u16, path: &str, limit: Duration) -> Result<()> {
    let begun = Instant::now();
    while !ok(port, path) {
        process.ensure_running()?;
        if begun.elapsed() > limit {
            bail!("{} does not answer {path} with 200 after {limit:?}:\n{}", process.name(), process.log_tail());
        }
        std::thread::sleep(PERIOD);
    }
    Ok(())
}

fn ok(port: u16, path: &str) -> bool {
    status(port, path).is_ok_and(|head| head.starts_with(b"HTTP/1.1 200"))
}

/// The first bytes of the answer.
fn status(port: u16, path: &str) -> std::io::Result<[u8; 12]> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let mut stream = TcpStream::connect_timeout(&address, TIMEOUT)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").as_bytes())?;
    let mut head = [0; 12];
    stream.read_exact(&mut head)?;
    Ok(head)
}
