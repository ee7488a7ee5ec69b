//! Numbers as Redis writes them.

use std::io::Write;

/// The longest decimal of 64 bits, with its sign.
const MAX_DIGITS: usize = 20;

/// Parses a 64-bit integer in the one spelling that it has: no space, no plus, no leading zero.
pub fn parse_integer(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    match digits {
        [b'0'] if !negative => return Some(0),
        [b'1'..=b'9', ..] if digits.len() < MAX_DIGITS => {}
        _ => return None,
    }
    // Downwards: there is one more number below zero than above.
    let mut number: i64 = 0;
    for digit in digits {
        let digit = digit.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        number = number.checked_mul(10)?.checked_sub(i64::from(digit))?;
    }
    if negative { Some(number) } else { number.checked_neg() }
}

/// Parses a floating-point number: decimal, with an exponent perhaps, or an infinity; not a NaN, and no spaces.
pub fn parse_double(text: &[u8]) -> Option<f64> {
    let number: f64 = std::str::from_utf8(text).ok()?.parse().ok()?;
    (!number.is_nan()).then_some(number)
}

/// Appends a floating-point number in the shortest spelling that gives it again.
pub fn format_double(number: f64, out: &mut Vec<u8>) {
    if number.is_infinite() {
        out.extend_from_slice(if number > 0.0 { b"inf" } else { b"-inf" });
        return;
    }
    let size = number.abs();
    let written = if size != 0.0 && !(1e-5..1e17).contains(&size) {
        // As C prints it: the exponent with its sign and two digits.
        let text = format!("{number:e}");
        let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        let (sign, exponent) = exponent.strip_prefix('-').map_or(('+', exponent), |digits| ('-', digits));
        write!(out, "{mantissa}e{sign}{exponent:0>2}")
    } else {
        write!(out, "{number}")
    };
    debug_assert!(written.is_ok(), "a vector takes everything");
}

/// Appends an integer in decimal.
pub(crate) fn format_integer(number: i64, out: &mut Vec<u8>) {
    let mut digits = [0; MAX_DIGITS];
    let mut at = digits.len();
    let mut rest = number.unsigned_abs();
    loop {
        at -= 1;
        digits[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    if number < 0 {
        out.push(b'-');
    }
    out.extend_from_slice(&digits[at..]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_integer_has_one_spelling() {
        for number in [0, 7, -1, 42, i64::MAX, i64::MIN, 1_000_000_007] {
            let mut text = Vec::new();
            format_integer(number, &mut text);
            assert_eq!(text, number.to_string().as_bytes());
            assert_eq!(parse_integer(&text), Some(number));
        }
        for text in ["", "-", "+1", "01", "-0", "00", " 1", "1 ", "1a", "9223372036854775808", "-9223372036854775809"] {
            assert_eq!(parse_integer(text.as_bytes()), None, "{text}");
        }
        assert_eq!(parse_integer(&[b'9'; 40]), None);
    }

    #[test]
    fn a_double_is_as_short_as_it_can_be() {
        let text = |number| {
            let mut out = Vec::new();
            format_double(number, &mut out);
            String::from_utf8(out).expect("ASCII")
        };
        assert_eq!(["3", "0.1", "-2.5", "0"], [3.0, 0.1, -2.5, 0.0].map(text).each_ref().map(String::as_str));
        assert_eq!(
            (text(1e20), text(1.5e-7), text(1e16)),
            ("1e+20".into(), "1.5e-07".into(), "10000000000000000".into())
        );
        assert_eq!((text(f64::INFINITY), text(f64::NEG_INFINITY)), ("inf".into(), "-inf".into()));
    }

    #[test]
    fn what_is_no_double_is_refused() {
        assert_eq!(parse_double(b"-1.5e3"), Some(-1500.0));
        assert_eq!(parse_double(b"+inf"), Some(f64::INFINITY));
        for text in [&b""[..], b"nan", b" 1", b"1x", b"0x10", b"\xff"] {
            assert_eq!(parse_double(text), None, "{text:?}");
        }
    }
}
