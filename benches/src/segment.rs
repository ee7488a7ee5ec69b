//! What TCP connections have carried, as the kernel counts it: payload, and segments with their headers.

use std::collections::BTreeMap;
use std::process::Command;

use anyhow::{Context, Result, ensure};

/// Headers of a segment: 20 bytes of IPv4, 20 of TCP, and 12 for its times.
const HEADERS: u64 = 52;

/// What one connection has carried so far, both ways.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Carried {
    pub(crate) payload: u64,
    /// Acknowledgements too.
    pub(crate) segments: u64,
}

/// Payload and headers.
pub(crate) fn bytes(carried: &Carried) -> u64 {
    carried.payload + HEADERS * carried.segments
}

/// The connections that a port on loopback has accepted, by the ports of the other side.
pub(crate) fn accepted(port: u16) -> Result<BTreeMap<u16, Carried>> {
    let mut command = Command::new("ss");
    command.args(["--tcp", "--info", "--numeric", "--no-header", "--oneline", "state", "established"]);
    let output = command.arg(format!("( sport = :{port} )")).output().context("is ss of iproute2 installed?")?;
    ensure!(output.status.success(), "ss failed: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout)?.lines().map(connection).collect()
}

/// Queues, own address, the other's address, and what is known: words, some of them with a number.
fn connection(line: &str) -> Result<(u16, Carried)> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let peer = words.get(3).and_then(|address| address.rsplit(':').next()?.parse().ok());
    // What has not happened yet is not said.
    let number = |name: &str| {
        let value = words.iter().find_map(|word| word.strip_prefix(name)?.strip_prefix(':'));
        value.map_or(Ok(0), str::parse::<u64>)
    };
    let carried = Carried {
        payload: number("bytes_sent")? + number("bytes_received")?,
        segments: number("segs_out")? + number("segs_in")?,
    };
    Ok((peer.with_context(|| format!("ss says {line}"))?, carried))
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    fn a_line_of_ss_is_a_connection() -> Result<()> {
        let line = "0 0 127.0.0.1:7072 127.0.0.1:40112 cubic wscale:7,7 rto:204 mss:32768 bytes_sent:40 bytes_acked:40 \
                    bytes_received:60 segs_out:5 segs_in:7 data_segs_out:2 send 4681142857bps";
        let (port, carried) = connection(line)?;
        assert_eq!((port, carried), (40_112, Carried { payload: 100, segments: 12 }));
        assert_eq!(bytes(&carried), 100 + 12 * 52);
        Ok(())
    }

    #[test]
    fn the_kernel_counts_what_a_connection_carries() -> Result<()> {
        if Command::new("ss").arg("--version").output().is_err() {
            return Ok(());
        }
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let mut there = TcpStream::connect(listener.local_addr()?)?;
        let (mut here, peer) = listener.accept()?;
        there.write_all(&[0; 100])?;
        here.read_exact(&mut [0; 100])?;
        let carried = accepted(listener.local_addr()?.port())?[&peer.port()];
        assert_eq!(carried.payload, 100);
        assert!(carried.segments >= 2);
        Ok(())
    }
}
