// SPDX-License-Identifier: Apache-2.0
//! Times as Swift writes them: seconds with five decimals, the web's dates rounded up, ISO without a zone.

use types::Timestamp;

/// `1700000000.12345`
pub fn seconds(at: Timestamp) -> String {
    format!("{}.{:05}", at.seconds(), at.micros().rem_euclid(1_000_000) / 10)
}

/// `Wed, 22 Nov 2026 23:05:01 GMT`, the first whole second that is not before it: whoever asks again with this date sees no
/// change that is not one.
pub fn date(at: Timestamp) -> String {
    let second = at.micros().div_euclid(1_000_000) + i64::from(at.micros().rem_euclid(1_000_000) > 0);
    let printer = jiff::fmt::rfc2822::DateTimePrinter::new();
    let instant = jiff::Timestamp::from_second(second).unwrap_or_default();
    printer.timestamp_to_rfc9110_string(&instant).unwrap_or_default()
}

/// Seconds since 1970 of a date in a header; none for what is no date.
pub fn parse_date(text: &str) -> Option<i64> {
    let parser = jiff::fmt::rfc2822::DateTimeParser::new();
    parser.parse_timestamp(text.trim()).ok().map(jiff::Timestamp::as_second)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_swift_writes_them() {
        let at = Timestamp(1_700_000_000_123_456);
        assert_eq!(seconds(at), "1700000000.12345");
        assert_eq!(date(at), "Tue, 14 Nov 2023 22:13:21 GMT");
        assert_eq!(date(Timestamp(1_700_000_000_000_000)), "Tue, 14 Nov 2023 22:13:20 GMT");
        assert_eq!(parse_date("Tue, 14 Nov 2023 22:13:21 GMT"), Some(1_700_000_001));
        assert_eq!(parse_date("yesterday"), None);
    }
}
