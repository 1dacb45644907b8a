//! Who did something, as people name it.

use std::fmt::Write as _;

use super::{Owner, OwnerKind, Process};
use crate::text;

/// Who did it, as people name it: `web (nginx:1.27)`, `host process sshd (pid 7)`.
pub fn subject(owner: &Owner, process: Option<&Process>, to: &mut String) {
    to.push_str(owner.label());
    if let Some(container) = &owner.container
        && !container.image.is_empty()
    {
        // Writing to a string cannot fail.
        let _infallible = write!(to, " ({})", container.image);
    }
    if owner.kind != OwnerKind::Container
        && let Some(process) = process
    {
        to.push(' ');
        process_name(process, to);
    }
}

/// `process sshd (pid 7)`
pub fn process_name(process: &Process, to: &mut String) {
    let name = text::text(&process.name).readable;
    let _infallible = write!(to, "process {name} (pid {})", process.pid);
}
