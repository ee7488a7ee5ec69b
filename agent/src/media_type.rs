//! Media types that clients give their values.

use crate::problem::Problem;

/// The longest that is kept with a value.
const MAX_BYTES: usize = 255;

/// A media type that can be kept, and sent back as a header.
pub(crate) fn check(text: &str) -> Result<Box<str>, Problem> {
    let visible = |byte: u8| byte == b' ' || byte.is_ascii_graphic();
    if text.len() <= MAX_BYTES && text.bytes().all(visible) {
        return Ok(Box::from(text));
    }
    let hint = format!("send at most {MAX_BYTES} visible ASCII characters, such as application/json");
    Err(Problem::invalid("bad_content_type", "the Content-Type cannot be kept", hint))
}
