//! Who did how much, when; with findings, and the times at which nobody looked.

use maud::{Markup, html};

use super::{Section, shown};
use crate::{event::Severity, query::Time, report::Facts};

/// Rows of the picture.
const ROWS: usize = 40;

/// Characters of a name in it.
const NAME: usize = 26;

/// The picture, in its own units: where time begins and ends, how high a row is, and
/// what is above the first one.
const LEFT: f64 = 190.0;
const RIGHT: f64 = 1190.0;
const WIDTH: f64 = 1200.0;
const ROW: f64 = 34.0;
const TOP: f64 = 24.0;

/// The highest bar.
const BAR: f64 = 17.0;

/// Half of a mark's width.
const MARK: f64 = 5.0;

/// Labels of the time axis.
const TICKS: i64 = 6;

pub fn section(facts: &Facts) -> Section {
    let bin = shown::lasted(Time(0), Time(facts.activity.bin_ns));
    let rest = facts.containers.of.saturating_sub(ROWS);
    Section {
        anchor: "timeline",
        title: "Timeline",
        count: None,
        about: "Events of each container over time (bars, each row by its own most), and its findings.",
        content: html! {
            div.scroll { (picture(facts)) }
            div.legend {
                span { i {} "events, " (bin) " a bar" }
                @for severity in Severity::ALL.iter().rev() {
                    @if facts.findings.by_severity.contains_key(severity) {
                        span { i class={ "d " (severity.name()) } {} (severity.name()) }
                    }
                }
                @if facts.record.gaps.iter().any(|gap| gap.is_blind) {
                    span { i.blind {} "no agent ran" }
                }
            }
            (shown::more(rest, "containers", "hostnet query containers"))
        },
    }
}

/// From moments to places.
struct Scale {
    from: i64,
    length: f64,
}

impl Scale {
    fn at(&self, time: Time) -> f64 {
        let part = (time.0.saturating_sub(self.from)) as f64 / self.length;
        LEFT + part.clamp(0.0, 1.0) * (RIGHT - LEFT)
    }
}

fn picture(facts: &Facts) -> Markup {
    let activity = &facts.activity;
    let end = activity.from.after(activity.bin_ns.saturating_mul(activity.bins as i64));
    let scale = Scale { from: activity.from.0, length: (end.0 - activity.from.0).max(1) as f64 };
    let rows: Vec<_> = facts.containers.shown.iter().take(ROWS).collect();
    let bottom = TOP + ROW * rows.len() as f64;
    let height = bottom + 8.0;
    html! {
        svg viewBox={ "0 0 " (WIDTH) " " (height) } role="img" aria-label="Events over time" {
            @for tick in 0..=TICKS {
                (self::tick(&scale, activity.from, end, tick, bottom))
            }
            @for gap in facts.record.gaps.iter().filter(|gap| gap.is_blind) {
                @let (from, to) = (scale.at(gap.times.0), scale.at(gap.times.1));
                rect.blind x=(place(from)) y=(TOP) width=(place((to - from).max(1.0)))
                    height=(bottom - TOP) { title { (shown::cut(&gap.why, 200)) } }
            }
            @for (at, row) in rows.iter().enumerate() {
                @let base = TOP + ROW * (at + 1) as f64;
                svg x="0" y=(base - ROW) width=(LEFT - 8.0) height=(ROW) {
                    text.name x="0" y=(ROW - 6.0) {
                        (shown::cut(&row.container, NAME))
                        title { (shown::cut(&row.container, 200)) }
                    }
                }
                line.life x1=(place(scale.at(row.first))) x2=(place(scale.at(row.last)))
                    y1=(base) y2=(base) {}
                (bars(facts, &scale, &row.container_id, base))
                (marks(facts, &scale, &row.container_id, base))
            }
        }
    }
}

fn tick(scale: &Scale, from: Time, to: Time, number: i64, bottom: f64) -> Markup {
    let at = from.after((to.0 - from.0) / TICKS * number);
    let x = scale.at(at);
    let anchor = match number {
        0 => "start",
        TICKS => "end",
        _ => "middle",
    };
    html! {
        line.rule x1=(place(x)) x2=(place(x)) y1=(TOP - 4.0) y2=(bottom) {}
        text x=(place(x)) y="12" text-anchor=(anchor) { (label(at, to.0 - from.0)) }
    }
}

/// As much of a time as tells it from the next.
fn label(time: Time, length_ns: i64) -> String {
    const DAY_NS: i64 = 86_400_000_000_000;
    let whole = time.to_string();
    let part = if length_ns > 3 * DAY_NS {
        whole.get(..10)
    } else if length_ns > DAY_NS {
        whole.get(5..16)
    } else if length_ns > 600_000_000_000 {
        whole.get(11..16)
    } else {
        whole.get(11..21)
    };
    part.unwrap_or_default().replace('T', " ")
}

fn bars(facts: &Facts, scale: &Scale, owner: &str, base: f64) -> Markup {
    let activity = &facts.activity;
    let Some(bins) = activity.by_owner.get(owner) else { return html! {} };
    let most = bins.iter().copied().max().unwrap_or(1).max(1) as f64;
    let width = (RIGHT - LEFT) / activity.bins.max(1) as f64;
    html! {
        @for (at, count) in bins.iter().enumerate().filter(|(_, count)| **count > 0) {
            // The root, so that little beside much is still seen.
            @let height = (BAR * (*count as f64 / most).sqrt()).max(1.5);
            @let from = activity.from.after(activity.bin_ns.saturating_mul(at as i64));
            rect.bar x=(place(scale.at(from))) y=(place(base - height))
                width=(place((width - 0.6).max(0.8))) height=(place(height)) {
                title { (shown::count(*count, "event", "events")) " from " (from.to_string()) }
            }
        }
    }
}

fn marks(facts: &Facts, scale: &Scale, owner: &str, base: f64) -> Markup {
    let y = base - ROW + 8.0;
    // The worst is drawn last, on top.
    let mut marks: Vec<_> =
        facts.findings.marks.iter().filter(|mark| mark.owner == owner).collect();
    marks.sort_by_key(|mark| mark.severity);
    html! {
        @for mark in marks {
            @let x = scale.at(mark.time);
            path class={ "mark " (mark.severity.name()) }
                d={ "M" (place(x)) " " (place(y - MARK)) "l" (MARK) " " (MARK) "l-" (MARK) " " (MARK)
                    "l-" (MARK) "-" (MARK) "z" } {
                title {
                    (mark.severity.name()) ": " (shown::cut(&mark.rule, 80)) ", " (mark.time.to_string())
                }
            }
        }
    }
}

/// A place with no more digits than are seen.
fn place(at: f64) -> String {
    format!("{at:.1}")
}
