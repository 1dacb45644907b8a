//! The service in a Compose or stack file.

use super::plan::{HOST_GATEWAY, Plan};
use crate::text::json;

/// Whose words the file is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// Compose's.
    Compose,
    /// A stack's, or what `docker stack deploy` would take.
    Stack,
}

/// The service as YAML; `mode` is the network mode that goes away.
pub fn service(plan: &Plan, dialect: Dialect, service: &str, mode: &str) -> String {
    let removed = match dialect {
        Dialect::Compose => format!("network_mode: {}", yaml(mode)),
        Dialect::Stack => "the external network \"host\" from networks".to_owned(),
    };
    let mut lines = vec![
        "services:".to_owned(),
        format!("  {}:", yaml(service)),
        format!("    # remove: {removed}"),
    ];
    let mut list = |key: &str, values: Vec<String>| {
        if !values.is_empty() {
            lines.push(format!("    {key}:"));
            lines.extend(values.iter().map(|value| format!("      - {value}")));
        }
    };
    let quoted = |values: &[String]| values.iter().map(|value| yaml(value)).collect();
    match dialect {
        Dialect::Compose => list("ports", quoted(&plan.publish)),
        Dialect::Stack => list("ports", plan.stack_ports()),
    }
    list("networks", quoted(&plan.networks));
    if plan.host_gateway {
        list("extra_hosts", quoted(&[HOST_GATEWAY.to_owned()]));
    }
    list("cap_add", plan.add.iter().map(|name| yaml(name)).collect());
    if let [name] = plan.networks.as_slice() {
        lines.push("networks:".to_owned());
        lines.push(format!("  {}: {{}}", yaml(name)));
    }
    lines.push(String::new());
    lines.join("\n")
}

/// A text as a YAML scalar, safe to show. JSON's strings are YAML's in double quotes, and
/// ports have to be quoted: YAML 1.1 takes `22:22` for a number of base 60.
fn yaml(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    let is_word = text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(is_plain)
        && !matches!(
            text.to_ascii_lowercase().as_str(),
            "y" | "n" | "yes" | "no" | "on" | "off" | "true" | "false" | "null"
        );
    if is_word { text.to_owned() } else { json::raw(&text).get().to_owned() }
}
