//! Where in a request a value stands by which it is told from others, and how a Route of Kong's looks for it. Kong matches header
//! fields, and cookies stand in one of those, so a cookie is a regex over it.

use std::fmt;

use gateway_core::entity::SplitKey;

/// A header field, or a cookie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Field {
    /// The header field of this name.
    Header(String),
    /// The cookie of this name.
    Cookie(String),
}

impl Field {
    /// What a Route's `headers` say so that it takes requests with one of these values: a name and its values.
    pub fn route_match(&self, values: &[String]) -> (&str, Vec<String>) {
        match self {
            Self::Header(name) => (name, values.to_vec()),
            Self::Cookie(name) => {
                let values: Vec<_> = values.iter().map(|value| escaped(value)).collect();
                // A Route's regex takes no notice of capitals; cookies do (RFC 6265).
                let regex = format!("~*(?-i)(^|; ?){}=({})(;|$)", escaped(name), values.join("|"));
                ("cookie", vec![regex])
            }
        }
    }
}

/// Where the key of a split stands.
impl From<&SplitKey> for Field {
    fn from(key: &SplitKey) -> Self {
        match key {
            SplitKey::Header(name) => Self::Header(name.clone()),
            SplitKey::Cookie(cookie) => Self::Cookie(cookie.name.clone()),
        }
    }
}

impl fmt::Display for Field {
    /// `x-tester`, `cookie group`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Header(name) => f.write_str(name),
            Self::Cookie(name) => write!(f, "cookie {name}"),
        }
    }
}

/// The text as a regex that matches nothing else.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_ascii_punctuation() && c != '_' && c != '-' {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use gateway_core::entity::compile_header;

    #[test]
    fn a_cookie_is_found_among_others_whole_and_as_it_is_written() {
        let values = ["b".to_owned(), "a.c".to_owned()];
        let cookie = Field::Cookie("group".into());
        let (name, regex) = cookie.route_match(&values);
        let regex = compile_header(regex[0].strip_prefix("~*").unwrap()).unwrap();
        assert_eq!(name, "cookie");
        for field in ["group=b", "a=1; group=b", "group=b; a=1", "a=1;group=a.c;b=2", "x=group=c; group=b"] {
            assert!(regex.is_match(field.as_bytes()), "{field}");
        }
        for field in ["group=bb", "my-group=b", "group=B", "Group=b", "group=abc", "a=group=b", "group=", ""]
        {
            assert!(!regex.is_match(field.as_bytes()), "{field}");
        }
    }

    #[test]
    fn a_header_is_matched_as_it_is() {
        let values = ["yes".to_owned()];
        assert_eq!(Field::Header("x-tester".into()).route_match(&values), ("x-tester", values.to_vec()));
    }
}
