//! Fields of an event.

use serde_json::Value;

/// Field of an event by dotted path.
pub fn at<'a>(event: &'a Value, path: &str) -> Option<&'a Value> {
    path.split('.').try_fold(event, |value, key| value.get(key))
}
