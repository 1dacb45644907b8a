//! Fields of what the record tells of itself.

use serde_json::{Value, json};

use super::timestamp::Timestamps;
use crate::event::{LossCount, RecordHealth};

/// What goes under `hostnet`, and the time range that ECS has fields for.
#[derive(Default)]
pub struct Fields {
    pub health: Option<Value>,
    pub loss: Option<Value>,
    pub range: Option<(String, String)>,
}

pub fn fields(record: &RecordHealth, times: &mut Timestamps) -> Fields {
    let (mut loss, mut range) = (None, None);
    let health = match record {
        RecordHealth::HistoryFailed { path, reason, set_aside } => {
            let mut health = json!({ "path": path, "reason": reason });
            if let Some(aside) = set_aside {
                health["set_aside"] = aside.as_str().into();
            }
            health
        }
        RecordHealth::HistoryRecovered { path, failed_ns, given_up } => {
            if *given_up > 0 {
                loss = Some(json!({ "place": "history", "count": given_up }));
            }
            json!({ "path": path, "failed_ns": failed_ns })
        }
        RecordHealth::HistoryPurged(purge) => json!({
            "first": purge.first, "last": purge.last, "hash": purge.hash,
            "until": times.format(purge.until_ns), "reason": purge.reason,
        }),
        RecordHealth::Checkpoint(checkpoint) => {
            serde_json::to_value(checkpoint).unwrap_or_default()
        }
        RecordHealth::SinkFailing { sink, reason, waiting } => {
            json!({ "sink": sink, "reason": reason, "waiting": waiting })
        }
        RecordHealth::SinkRecovered { sink, waiting, failed_ns } => {
            json!({ "sink": sink, "waiting": waiting, "failed_ns": failed_ns })
        }
        RecordHealth::SinkDropped { sink, dropped, refused, reason } => {
            let count = dropped + refused;
            loss = Some(json!({ "place": "sink", "count": count, "reason": reason }));
            json!({ "sink": sink, "dropped": dropped, "refused": refused })
        }
        RecordHealth::Crashed { run, sequence, last_ns, found_ns } => {
            range = Some((times.format(*last_ns), times.format(*found_ns)));
            json!({ "run": run, "sequence": sequence })
        }
        RecordHealth::ClockStepped { by_ns } => json!({ "by_ns": by_ns }),
    };
    Fields { health: Some(health), loss, range }
}

/// Records of one owner and kind that were lost.
pub fn loss(loss: &LossCount) -> Value {
    let mut value = json!({ "operation": loss.operation, "count": loss.count });
    if loss.new > 0 {
        value["new"] = loss.new.into();
    }
    if let Some(owner) = &loss.owner {
        value["owner"] = owner.label().into();
        value["cgroup"] = json!({ "id": owner.cgroup_id, "path": owner.cgroup_path });
        if let Some(id) = &owner.container_id {
            value["container"] = json!({ "id": id, "name": owner.label() });
        }
    }
    value
}
