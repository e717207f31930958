//! HDR histograms as text: HdrHistogram's compressed V2 encoding in base64, `HISTFAAA...`, which readers of every language
//! know. So a report carries whole distributions, and every file can be rebuilt from it. Leaves counting to `measure`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hdrhistogram::serialization::{Deserializer, Serializer as _, V2DeflateSerializer};
use hdrhistogram::{Counter, Histogram};

/// The text is no histogram.
#[derive(Debug, thiserror::Error)]
pub enum HdrError {
    /// Not base64.
    #[error("a histogram is not base64: {0}")]
    Base64(#[from] base64::DecodeError),
    /// Not HdrHistogram's encoding.
    #[error("a histogram cannot be read: {0}")]
    Encoding(String),
}

/// The histogram as text.
///
/// # Panics
/// Never: a Vec takes whatever is written.
pub fn encode<T: Counter>(histogram: &Histogram<T>) -> String {
    let mut bytes = Vec::new();
    V2DeflateSerializer::new().serialize(histogram, &mut bytes).expect("a Vec takes whatever is written");
    STANDARD.encode(bytes)
}

/// The histogram of a text.
///
/// # Errors
/// When it is none.
pub fn decode(text: &str) -> Result<Histogram<u64>, HdrError> {
    let bytes = STANDARD.decode(text)?;
    Deserializer::new().deserialize(&mut bytes.as_slice()).map_err(|e| HdrError::Encoding(e.to_string()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_written_is_read(values in prop::collection::vec(1_000_u64..3_600_000_000_000, 0..100)) {
            let mut histogram = Histogram::<u64>::new_with_bounds(1_000, 3_600_000_000_000, 3).unwrap();
            for value in values {
                histogram.record(value).unwrap();
            }
            let text = encode(&histogram);
            prop_assert!(text.starts_with("HISTFAAA"));
            prop_assert!(decode(&text).unwrap() == histogram);
        }

        #[test]
        fn any_other_text_is_an_error_and_no_panic(text in "[A-Za-z0-9+/]{0,64}") {
            prop_assert!(decode(&text).is_err());
            let headed = format!("HISTFAAA{text}");
            prop_assert!(decode(&headed).is_err());
        }
    }
}
