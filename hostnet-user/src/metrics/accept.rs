//! Which of the two forms of `/metrics` a request asks for, by the q-values of its
//! `Accept` (RFC 9110, 12.5.1). It reads text and knows nothing of connections.

/// Versions of each form that are answered with ours.
const OPENMETRICS: (&str, &str, &[&str]) = ("application", "openmetrics-text", &["1.0.0", "0.0.1"]);
const CLASSIC: (&str, &str, &[&str]) = ("text", "plain", &["0.0.4"]);

/// How much a form is wanted: by how specific a range, and its q-value.
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd)]
struct Wish {
    specific: u8,
    q: f32,
}

/// Whether OpenMetrics is wanted rather than the classic text form, which is what is
/// answered when neither is.
pub fn wants_openmetrics<'a>(headers: impl Iterator<Item = &'a str>) -> bool {
    let ranges: Vec<&str> = headers.flat_map(|header| header.split(',')).collect();
    let open = wish(&ranges, OPENMETRICS);
    let classic = wish(&ranges, CLASSIC);
    // Of two that are wanted as much, the one that was named.
    open.q > classic.q || (open.q == classic.q && open.q > 0.0 && open.specific == 3)
}

/// The most specific range that has the form decides; of several, the one that wants
/// it most.
fn wish(ranges: &[&str], form: (&str, &str, &[&str])) -> Wish {
    let wishes = ranges.iter().filter_map(|range| one(range, form));
    wishes.fold(Wish::default(), |most, one| if one > most { one } else { most })
}

fn one(range: &str, (kind, subtype, versions): (&str, &str, &[&str])) -> Option<Wish> {
    let mut parts = range.split(';').map(str::trim);
    let (first, second) = parts.next()?.split_once('/')?;
    let is = |word: &str, wanted: &str| word.trim().eq_ignore_ascii_case(wanted);
    let specific = match (first, second) {
        (first, second) if is(first, kind) && is(second, subtype) => 3,
        (first, second) if is(first, kind) && is(second, "*") => 2,
        (first, second) if is(first, "*") && is(second, "*") => 1,
        _ => return None,
    };
    let mut q = 1.0;
    for parameter in parts {
        let Some((name, value)) = parameter.split_once('=') else { continue };
        let (name, value) = (name.trim(), value.trim().trim_matches('"'));
        if name.eq_ignore_ascii_case("q") {
            q = value.parse().ok().filter(|q| (0.0..=1.0).contains(q))?;
        } else if name.eq_ignore_ascii_case("version") && !versions.contains(&value) {
            return None;
        }
    }
    Some(Wish { specific, q })
}

#[cfg(test)]
mod tests {
    use super::wants_openmetrics;

    #[test]
    fn the_form_is_the_one_that_is_wanted_most() {
        for (accept, is_open) in [
            ("application/openmetrics-text", true),
            ("Application/OpenMetrics-Text; version=1.0.0; charset=utf-8", true),
            ("application/openmetrics-text;q=0", false),
            ("application/openmetrics-text;q=0.000, text/plain", false),
            ("application/openmetrics-text; Q=0.3, text/plain;q=0.4", false),
            ("application/openmetrics-text;q=0.4, text/plain;q=0.3", true),
            ("text/plain, application/openmetrics-text", true),
            ("application/openmetrics-text, */*", true),
            ("application/openmetrics-text;q=0, */*", false),
            ("text/plain;q=0, application/*", true),
            ("text/plain;q=0.1, application/*;q=0.2", true),
            ("*/*", false),
            ("text/html, */*;q=0.1", false),
            ("", false),
            ("application/openmetrics-text;q=no", false),
            ("application/openmetrics-text;q=2", false),
            ("application/openmetrics-text;version=9.0.0", false),
            // Prometheus 2 and 3.
            (
                "application/openmetrics-text;version=1.0.0;q=0.5,application/openmetrics-text;\
                 version=0.0.1;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
                true,
            ),
            (
                "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;\
                 encoding=delimited;q=0.6,application/openmetrics-text;version=1.0.0;\
                 escaping=allow-utf-8;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,\
                 text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
                true,
            ),
        ] {
            assert_eq!(wants_openmetrics([accept].into_iter()), is_open, "{accept}");
        }
        assert!(!wants_openmetrics(std::iter::empty()));
        let two = ["text/plain;q=0.2", "application/openmetrics-text;q=0.3"];
        assert!(wants_openmetrics(two.into_iter()));
    }
}
