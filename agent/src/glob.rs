//! Patterns as Redis has them: `*`, `?`, `[a-z]`, `[^a]`, and a backslash before what is meant as it is.

/// Whether a text is as a pattern says. It takes no longer than the product of their lengths.
pub(crate) fn matches(pattern: &[u8], text: &[u8]) -> bool {
    let (mut pattern_at, mut text_at) = (0, 0);
    // After the last star: where to go on in the pattern, and in the text, if what follows does not match.
    let mut star: Option<(usize, usize)> = None;
    loop {
        let rest = &pattern[pattern_at..];
        if let [b'*', ..] = rest {
            star = Some((pattern_at + 1, text_at));
            pattern_at += 1;
            continue;
        }
        match (rest.is_empty(), text.get(text_at)) {
            (true, None) => return true,
            (false, Some(byte)) => {
                let (length, fits) = one(rest, *byte);
                if fits {
                    pattern_at += length;
                    text_at += 1;
                    continue;
                }
            }
            (true, Some(_)) => {}
            (false, None) => return false,
        }
        let Some((after_star, tried)) = &mut star else { return false };
        *tried += 1;
        (pattern_at, text_at) = (*after_star, *tried);
        if text_at > text.len() {
            return false;
        }
    }
}

/// How long the first element of a pattern is, which is no star, and whether a byte fits it.
fn one(pattern: &[u8], byte: u8) -> (usize, bool) {
    match pattern {
        [b'?', ..] => (1, true),
        [b'\\', escaped, ..] => (2, *escaped == byte),
        [b'[', class @ ..] => {
            let (length, fits) = in_class(class, byte);
            (length + 1, fits)
        }
        [plain, ..] => (1, *plain == byte),
        [] => (0, false),
    }
}

/// What is in brackets; one that is not closed goes on to the end.
fn in_class(class: &[u8], byte: u8) -> (usize, bool) {
    let (negated, mut at) = if class.first() == Some(&b'^') { (true, 1) } else { (false, 0) };
    let mut found = false;
    loop {
        match &class[at..] {
            [] => return (at, found != negated),
            [b']', ..] => return (at + 1, found != negated),
            [b'\\', escaped, ..] => {
                found |= *escaped == byte;
                at += 2;
            }
            [low, b'-', high, ..] => {
                found |= (*low.min(high)..=*low.max(high)).contains(&byte);
                at += 3;
            }
            [plain, ..] => {
                found |= *plain == byte;
                at += 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fits(pattern: &str, text: &str) -> bool {
        matches(pattern.as_bytes(), text.as_bytes())
    }

    #[test]
    fn patterns_mean_what_they_mean_in_redis() {
        for (pattern, text) in [
            ("*", ""),
            ("*", "anything"),
            ("h?llo", "hello"),
            ("h*llo", "hllo"),
            ("h*llo", "heeello"),
            ("h[ae]llo", "hallo"),
            ("h[^e]llo", "hallo"),
            ("h[a-c]llo", "hbllo"),
            ("h[c-a]llo", "hbllo"),
            ("a\\*b", "a*b"),
            ("[\\]]", "]"),
            ("*a*b*c", "xxaxxbxxbc"),
            ("[a", "a"),
            ("", ""),
        ] {
            assert!(fits(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in [
            ("", "a"),
            ("a", ""),
            ("h?llo", "hllo"),
            ("h[^e]llo", "hello"),
            ("h[a-c]llo", "hdllo"),
            ("a\\*b", "axb"),
            ("*a*b*c", "xxaxxcxxb"),
            ("?", ""),
            ("[a]", ""),
        ] {
            assert!(!fits(pattern, text), "{pattern} {text}");
        }
    }

    #[test]
    fn many_stars_take_no_longer_than_they_must() {
        assert!(!fits(&"a*".repeat(50).replace("a*", "*a").repeat(10), &"b".repeat(10_000)));
        assert!(!matches(&[b"*a".repeat(500), b"b".to_vec()].concat(), &b"a".repeat(2000)));
    }
}
