//! Requests of Redis: found alike whole and in parts, alike by another parser, and their replies read by it.

use baton_resp::{Decoder, Encoder, Limits, ProtocolError, Version};
use bytes::Bytes;
use resp_rs::{resp2, resp3};

use crate::meter::Meter;

/// Small, so that inputs reach them.
const LIMITS: Limits = Limits { max_bulk: 2048, max_arguments: 256, max_inline: 1024, max_request: 4096 };

type Request = Vec<Vec<u8>>;

/// Takes the bytes for a pipeline of requests.
pub fn run(bytes: &[u8]) {
    let mut meter = Meter::new();
    let (requests, error) = meter.bounded(bytes.len(), || decode(bytes, bytes.len().max(1)));
    for part in [3, 64] {
        assert_eq!(decode(bytes, part), (requests.clone(), error), "in parts of {part}");
    }
    let mut rest = Bytes::copy_from_slice(bytes);
    for (request, length) in &requests {
        if rest.starts_with(b"*") && !request.is_empty() {
            assert_eq!(other(&rest).as_ref(), Some(&(request.clone(), *length)), "the other parser finds another");
        }
        answer(request);
        rest = rest.slice(length..);
    }
    // What the other one finds in the only spelling that we take is refused for its size only.
    if let (Some((request, length)), Some(error)) = (other(&rest), error) {
        let frame = request.iter().map(|word| resp2::Frame::BulkString(Some(Bytes::copy_from_slice(word))));
        let spelling = resp2::frame_to_bytes(&resp2::Frame::Array(Some(frame.collect())));
        assert!(spelling != rest[..length] || is_limit(&request), "{error}: {}", rest.escape_ascii());
    }
}

/// The bytes.
pub fn show(bytes: &[u8]) -> String {
    bytes.escape_ascii().to_string()
}

/// Requests, and what is almost one.
pub fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    let many = [b"*200\r\n".to_vec(), b"$1\r\na\r\n".repeat(200)].concat();
    let texts: [(&str, &[u8]); 9] = [
        ("set", b"*3\r\n$3\r\nSET\r\n$1\r\na\r\n$12\r\nbinary\r\n\x00\xff\xfe \r\n"),
        ("pipeline", b"*1\r\n$4\r\nPING\r\nPING\r\n*2\r\n$4\r\nECHO\r\n$0\r\n\r\n*0\r\n\r\n*-1\r\n"),
        ("inline", b"SET \"a b\\x00\\n\" 'c\\'d' e\r\nGET a\n"),
        ("unbalanced", b"SET 'a\r\n"),
        ("negative", b"*2\r\n$-1\r\n"),
        ("endless", b"*1\r\n$11111111111111111111111111111111111111111"),
        ("no-bulk", b"*2\r\n$3\r\nGET\r\n:1\r\n"),
        ("too-long", b"*1\r\n$9999\r\n"),
        ("part", b"*2\r\n$3\r\nGET\r\n$10\r\nabc"),
    ];
    let texts = texts.into_iter().map(|(name, text)| (name, text.to_vec()));
    texts.chain([("many", many)]).collect()
}

/// The requests in the bytes, each with its length, which come in parts.
fn decode(bytes: &[u8], part: usize) -> (Vec<(Request, usize)>, Option<ProtocolError>) {
    let mut decoder = Decoder::new(LIMITS);
    let (mut found, mut start, mut end) = (Vec::new(), 0, 0);
    loop {
        match decoder.decode(&bytes[start..end]) {
            Ok(Some(length)) => {
                let arguments = decoder.arguments(&bytes[start..start + length]);
                found.push((arguments.from(0).map(<[u8]>::to_vec).collect(), length));
                start += length;
            }
            Ok(None) if end == bytes.len() => return (found, None),
            Ok(None) => end = bytes.len().min(end + part),
            Err(error) => return (found, Some(error)),
        }
    }
}

/// What the other parser finds, if that is a request.
fn other(bytes: &Bytes) -> Option<(Request, usize)> {
    let (frame, rest) = resp2::parse_frame(bytes.clone()).ok()?;
    let resp2::Frame::Array(Some(words)) = frame else { return None };
    let word = |frame: resp2::Frame| match frame {
        resp2::Frame::BulkString(Some(word)) => Some(word.to_vec()),
        _ => None,
    };
    let request: Request = words.into_iter().map(word).collect::<Option<_>>()?;
    (!request.is_empty()).then(|| (request, bytes.len() - rest.len()))
}

fn is_limit(request: &Request) -> bool {
    let size: usize = request.iter().map(Vec::len).sum();
    request.len() > LIMITS.max_arguments
        || request.iter().any(|word| word.len() > LIMITS.max_bulk)
        || size > LIMITS.max_request
}

/// The words as a reply, in both protocols: the other parser reads what was said.
fn answer(request: &Request) {
    let words = || request.iter().map(|word| Bytes::copy_from_slice(word));
    let bytes = replied(Version::Resp2, request);
    let array = resp2::Frame::Array(Some(words().map(|word| resp2::Frame::BulkString(Some(word))).collect()));
    let (frame, rest) = resp2::parse_frame(bytes).expect("a reply");
    assert_eq!((frame, rest.first()), (array, Some(&b'-')));
    assert!(matches!(resp2::parse_frame(rest), Ok((resp2::Frame::Error(_), rest)) if rest.is_empty()));
    let bytes = replied(Version::Resp3, request);
    let push = resp3::Frame::Push(words().map(|word| resp3::Frame::BulkString(Some(word))).collect());
    let (frame, rest) = resp3::parse_frame(bytes).expect("a reply");
    assert_eq!((frame, rest.first()), (push, Some(&b'-')));
    assert!(matches!(resp3::parse_frame(rest), Ok((resp3::Frame::Error(_), rest)) if rest.is_empty()));
}

fn replied(version: Version, request: &Request) -> Bytes {
    let mut encoder = Encoder::new(64 * 1024);
    encoder.set_version(version);
    encoder.begin();
    encoder.push(request.len());
    request.iter().for_each(|word| encoder.bulk(word));
    encoder.error(&request.iter().map(|word| String::from_utf8_lossy(word)).collect::<String>());
    assert!(encoder.end().is_ok());
    Bytes::copy_from_slice(encoder.bytes())
}
