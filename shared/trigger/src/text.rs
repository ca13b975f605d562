//! Text from outside, made fit to print on one line and bounded.

/// The most characters of a `source` or `detail-type` that are kept. Real ones have fewer than 100.
pub(crate) const TYPE_CHARS_MAX: usize = 256;

/// The most characters of a placement failure's reason that are kept, as `model` promises.
pub(crate) const REASON_CHARS_MAX: usize = 256;

/// The most characters of an event's name that are kept, as `model` promises.
pub(crate) const EVENT_NAME_CHARS_MAX: usize = 128;

/// The most characters of a scaling activity's texts that are kept, as `model` promises.
pub(crate) const MESSAGE_CHARS_MAX: usize = 512;

/// The most characters of a metric's texts that are kept, as `model` promises.
pub(crate) const METRIC_CHARS_MAX: usize = 256;

/// The longest name of an alarm, of an Auto Scaling group and of a lifecycle hook.
/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html>,
/// <https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_CreateAutoScalingGroup.html>
const NAME_CHARS_MAX: usize = 255;

/// Whether `text` may be the name of an alarm or of an Auto Scaling group and can be printed on one line.
pub(crate) fn is_plain_name(text: &str) -> bool {
    !text.trim().is_empty()
        && text.chars().count() <= NAME_CHARS_MAX
        && !text.chars().any(breaks_a_line)
}

/// Whether Auto Scaling would allow `text` as the name of a lifecycle hook.
/// <https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_PutLifecycleHook.html>
pub(crate) fn is_hook_name(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= NAME_CHARS_MAX
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'/'))
}

/// The first `chars_max` characters of `text`, with a space for everything that would break a line or hide text.
pub(crate) fn cut(text: &str, chars_max: usize) -> String {
    text.chars()
        .take(chars_max)
        .map(|c| if breaks_a_line(c) { ' ' } else { c })
        .collect()
}

/// Control characters, Unicode's line and paragraph separators, and the marks that change the direction of text.
fn breaks_a_line(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{2028}' | '\u{2029}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::{cut, is_hook_name, is_plain_name};

    #[test]
    fn hook_names_are_what_auto_scaling_allows() {
        for text in ["drain", "ecs/managed_draining-1", "9", &"a".repeat(255)] {
            assert!(is_hook_name(text), "{text}");
        }
        for text in ["", "a b", "a:b", "é", "a\n", &"a".repeat(256)] {
            assert!(!is_hook_name(text), "{text}");
        }
    }

    #[test]
    fn plain_names_may_hold_spaces_and_any_letters() {
        for text in [
            "web",
            "EC2 CPU Utilization",
            "용량 부족",
            "a/b:c",
            &"é".repeat(255),
        ] {
            assert!(is_plain_name(text), "{text}");
        }
        for text in ["", "  ", "a\nb", "a\u{202e}b", &"a".repeat(256)] {
            assert!(!is_plain_name(text), "{text}");
        }
    }

    #[test]
    fn text_is_cut_by_characters_and_kept_on_one_line() {
        assert_eq!(cut("RESOURCE:FARGATE", 256), "RESOURCE:FARGATE");
        assert_eq!(cut("용량 부족", 2), "용량");
        assert_eq!(cut("a\nb\u{2028}c\u{202e}d\u{7}", 256), "a b c d ");
        assert_eq!(cut(&"x".repeat(1_000_000), 256).len(), 256);
    }
}
