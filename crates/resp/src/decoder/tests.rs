//! What is a request, what is not, and that it does not matter in which parts it comes.

use proptest::prelude::*;

use super::*;

const LIMITS: Limits = Limits { max_bulk: 64, max_arguments: 8, max_inline: 40, max_request: 100 };

type Requests = (Vec<Vec<Vec<u8>>>, Option<ProtocolError>);

/// All requests in the bytes, which come in parts of a size.
fn decode(bytes: &[u8], part: usize) -> Requests {
    let mut decoder = Decoder::new(LIMITS);
    let (mut found, mut start, mut end) = (Vec::new(), 0, 0);
    loop {
        match decoder.decode(&bytes[start..end]) {
            Ok(Some(length)) => {
                let arguments = decoder.arguments(&bytes[start..start + length]);
                found.push(arguments.from(0).map(<[u8]>::to_vec).collect());
                start += length;
            }
            Ok(None) if end == bytes.len() => return (found, None),
            Ok(None) => end = bytes.len().min(end + part),
            Err(error) => return (found, Some(error)),
        }
    }
}

fn one(text: &str) -> Vec<String> {
    let (mut found, error) = decode(text.as_bytes(), 1000);
    assert_eq!((found.len(), error), (1, None), "{text:?}");
    found.remove(0).into_iter().map(|word| String::from_utf8(word).expect("text")).collect()
}

fn refused(text: &str) -> ProtocolError {
    decode(text.as_bytes(), 1000).1.expect(text)
}

#[test]
fn an_array_of_bulk_strings_is_a_request() {
    assert_eq!(one("*2\r\n$3\r\nGET\r\n$1\r\na\r\n"), ["GET", "a"]);
    assert_eq!(one("*2\r\n$0\r\n\r\n$2\r\n\r\n\r\n"), ["", "\r\n"]);
    assert_eq!(one("*0\r\n"), [""; 0]);
    assert_eq!(one("*-1\r\n"), [""; 0]);
}

#[test]
fn a_line_of_words_is_a_request() {
    assert_eq!(one("PING\r\n"), ["PING"]);
    assert_eq!(one("SET a \"b c\"\n"), ["SET", "a", "b c"]);
    assert_eq!(one("\r\n"), [""; 0]);
}

#[test]
fn errors_have_the_words_that_redis_has() {
    let text = |error: ProtocolError| error.to_string();
    assert_eq!(text(refused("*x\r\n")), "Protocol error: invalid multibulk length");
    assert_eq!(text(refused("*9\r\n")), "Protocol error: invalid multibulk length");
    assert_eq!(text(refused("*1\n")), "Protocol error: invalid multibulk length");
    assert_eq!(text(refused("*1\r\n:1\r\n")), "Protocol error: expected '$', got ':'");
    assert_eq!(text(refused("*1\r\n\u{1}1\r\n")), r"Protocol error: expected '$', got '\x01'");
    assert_eq!(text(refused("*1\r\n$-1\r\n")), "Protocol error: invalid bulk length");
    assert_eq!(text(refused("*1\r\n$65\r\n")), "Protocol error: invalid bulk length");
    assert_eq!(text(refused("*1\r\n$+1\r\n")), "Protocol error: invalid bulk length");
    assert_eq!(text(refused(&format!("*{}", "1".repeat(40)))), "Protocol error: too big mbulk count string");
    assert_eq!(text(refused(&format!("*1\r\n${}", "1".repeat(40)))), "Protocol error: too big bulk count string");
    assert_eq!(text(refused(&"a".repeat(41))), "Protocol error: too big inline request");
    assert_eq!(text(refused("SET 'a\r\n")), "Protocol error: unbalanced quotes in request");
    assert_eq!(refused("*1\r\n$1\r\nabc"), ProtocolError::BulkEnd);
    assert_eq!(refused(&format!("*2\r\n$60\r\n{}\r\n$60\r\n", "a".repeat(60))), ProtocolError::RequestLength);
}

#[test]
fn a_length_is_refused_before_what_it_promises_has_come() {
    assert_eq!(refused("*2000000000\r\n"), ProtocolError::ArrayLength);
    assert_eq!(refused("*1\r\n$9223372036854775807\r\n"), ProtocolError::BulkLength);
}

#[test]
fn a_request_that_was_found_leaves_nothing_for_the_next() {
    let (found, error) = decode(b"*1\r\n$4\r\nPING\r\nPING x\r\n*1\r\n$1\r\na\r\n*0\r\n\r\n", 7);
    assert_eq!(error, None);
    let lengths: Vec<usize> = found.iter().map(Vec::len).collect();
    assert_eq!(lengths, [1, 2, 1, 0, 0]);
}

#[test]
fn whether_a_request_has_begun_is_known() {
    let mut decoder = Decoder::new(LIMITS);
    assert!(!decoder.is_within());
    assert_eq!(decoder.decode(b"*1\r\n$4\r\nPI"), Ok(None));
    assert!(decoder.is_within());
    assert_eq!(decoder.decode(b"*1\r\n$4\r\nPING\r\n"), Ok(Some(14)));
    assert!(!decoder.is_within());
}

fn request() -> impl Strategy<Value = Vec<Vec<u8>>> {
    prop::collection::vec(prop::collection::vec(any::<u8>(), 0..12), 1..6)
}

proptest! {
    #[test]
    fn requests_are_found_as_they_were_sent_in_whatever_parts(
        requests in prop::collection::vec(request(), 0..5),
        part in 1_usize..50,
    ) {
        let mut bytes = Vec::new();
        for request in &requests {
            bytes.extend(format!("*{}\r\n", request.len()).into_bytes());
            for argument in request {
                bytes.extend(format!("${}\r\n", argument.len()).into_bytes());
                bytes.extend([argument.as_slice(), b"\r\n"].concat());
            }
        }
        prop_assert_eq!(decode(&bytes, part), (requests, None));
    }

    #[test]
    fn any_bytes_come_to_the_same_in_whatever_parts(
        bytes in prop::collection::vec(prop::sample::select(b"*$\r\n 0123abc\"'\\-:\xff".to_vec()), 0..80),
        part in 1_usize..50,
    ) {
        let (whole, cut) = (decode(&bytes, 1000), decode(&bytes, part));
        prop_assert_eq!(&whole.0, &cut.0);
        prop_assert_eq!(whole.1, cut.1);
    }
}
