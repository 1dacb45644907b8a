//! Asks a history for the facts of a page. Every question has a bound: what would be
//! more is cut, and the facts say so.

use std::collections::BTreeMap;

use anyhow::{Result, bail};
use serde_json::Value as Json;

use super::{
    contacts,
    facts::{Cut, Facts, Findings, Host, Origin, Part, RowPlace, Tree, Verdicts},
    findings, record,
};
use crate::query::{
    self, ContainerRow, Extent, Filter, History, ListenerRow, OF_LISTENERS, OF_PROCESSES, Time,
    TreeRow,
};

/// Containers in the list.
const CONTAINERS: usize = 200;

/// Parts of the timeline.
const BINS: usize = 160;

/// Rows of the list of listeners.
const LISTENERS: usize = 300;

/// Containers whose processes are shown, and how many of each.
const TREES: usize = 40;
const PROCESSES: usize = 150;

/// Events of sockets or processes that are put together at most.
const PUT_TOGETHER: u64 = 200_000;

/// All that a page says of the time and the containers that are meant.
///
/// # Errors
/// When the history cannot be read, has nobody like that, or nothing of that time.
pub fn gather(history: &History, filter: &Filter, origin: Origin) -> Result<Facts> {
    let owners = filter.owners(history)?;
    let extent = query::extent(history, filter)?;
    let Some((first, last)) = &extent.ends else {
        bail!(
            "there are no events in that time: `hostnet query events --limit 1` shows the first one"
        )
    };
    let window =
        (filter.since.unwrap_or(first.time), filter.until.unwrap_or(last.time.max(first.time)));
    let findings = findings::gather(history, filter)?;
    let runs = query::runs(history)?;
    let mut activity = query::activity(history, window, BINS)?;
    if let Some(owners) = &owners {
        activity.by_owner.retain(|owner, _| owners.contains(owner));
    }
    let listeners = listeners(history, filter)?;
    let trees = trees(history, filter, &findings)?;
    Ok(Facts {
        window,
        narrowed: filter.container.clone().or_else(|| filter.image.clone()),
        host: host(last.document.as_bytes(), &runs, window),
        events: extent.events,
        rows: places(&extent),
        record: record::gather(history, &runs, window)?,
        containers: Cut::at(containers(history, filter, &findings)?, CONTAINERS),
        contacts: contacts::gather(history, filter)?,
        activity,
        findings,
        listeners,
        trees,
        actions: extent.rare,
        chain: extent.chain,
        verdicts: Verdicts::default(),
        origin,
    })
}

fn places(extent: &Extent) -> Option<(RowPlace, RowPlace)> {
    let place = |event: &query::Event| RowPlace {
        id: event.id,
        run: event.run.clone(),
        sequence: event.read.event.sequence,
    };
    extent.ends.as_ref().map(|(first, last)| (place(first), place(last)))
}

fn host(document: &[u8], runs: &query::Runs, (from, to): (Time, Time)) -> Host {
    let document: Json = serde_json::from_slice(document).unwrap_or_default();
    let text =
        |at: &str| document.pointer(at).and_then(Json::as_str).unwrap_or_default().to_owned();
    let system = ["/host/os/name", "/host/os/version", "/host/os/kernel", "/host/architecture"];
    let system: Vec<String> =
        system.into_iter().map(text).filter(|text| !text.is_empty()).collect();
    let mut boots: Vec<String> = runs
        .runs
        .iter()
        .filter(|run| run.last >= from && run.began <= to)
        .map(|run| run.boot.clone())
        .collect();
    boots.dedup();
    Host { name: text("/host/name"), id: text("/host/id"), system: system.join(" "), boots }
}

/// Those with findings first, then whoever did most.
fn containers(
    history: &History,
    filter: &Filter,
    findings: &Findings,
) -> Result<Vec<ContainerRow>> {
    let mut rows = query::containers(history, filter)?;
    rows.sort_by_cached_key(|row| {
        let worst = findings.by_owner.get(&row.container_id).map(|(_, severity)| *severity);
        // The host is there to be compared with.
        (row.container_id == "host", std::cmp::Reverse((worst, row.events)), row.first)
    });
    Ok(rows)
}

/// Containers' before the host's, in the order in which they began.
fn listeners(history: &History, filter: &Filter) -> Result<Part<ListenerRow>> {
    let since = query::the_last(history, filter, &OF_LISTENERS, PUT_TOGETHER)?;
    let filter = Filter { since: since.or(filter.since), ..filter.clone() };
    let mut rows = query::listeners(history, &filter)?;
    rows.sort_by_key(|row| (row.container_id.is_none(), row.since));
    Ok(Part { rows: Cut::at(rows, LISTENERS), since })
}

/// The trees of containers, of those with findings first.
fn trees(history: &History, filter: &Filter, findings: &Findings) -> Result<Part<Tree>> {
    let since = query::the_last(history, filter, &OF_PROCESSES, PUT_TOGETHER)?;
    let filter = Filter { since: since.or(filter.since), ..filter.clone() };
    let mut by_owner = BTreeMap::<String, Vec<TreeRow>>::new();
    for row in query::tree(history, &filter)? {
        by_owner.entry(row.container_id.clone()).or_default().push(row);
    }
    if filter.container.as_deref() != Some("host") {
        by_owner.remove("host");
    }
    let mut owners: Vec<(String, Vec<TreeRow>)> = by_owner.into_iter().collect();
    owners.sort_by_cached_key(|(owner, rows)| {
        let worst = findings.by_owner.get(owner).map(|(_, severity)| *severity);
        (std::cmp::Reverse(worst), rows.iter().filter_map(|row| row.start).min())
    });
    let of = owners.len();
    owners.truncate(TREES);
    let tree = |(_, rows): (String, Vec<TreeRow>)| {
        let container = rows.first().map(|row| row.container.clone()).unwrap_or_default();
        Tree { container, rows: Cut::at(rows, PROCESSES) }
    };
    let shown = owners.into_iter().map(tree).collect();
    Ok(Part { rows: Cut { shown, of }, since })
}
