//! Medians and quartiles.

/// The middle half of some measurements.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spread {
    pub median: f64,
    pub lower: f64,
    pub upper: f64,
}

impl Spread {
    /// Of at least one measurement; zero of none.
    pub fn of(values: &[f64]) -> Self {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let at = |part| quantile(&sorted, part);
        Self { median: at(0.5), lower: at(0.25), upper: at(0.75) }
    }
}

pub fn median(values: &[f64]) -> f64 {
    Spread::of(values).median
}

/// Between two measurements, their weighted mean.
fn quantile(sorted: &[f64], part: f64) -> f64 {
    let place = part * sorted.len().saturating_sub(1) as f64;
    let below = sorted.get(place.floor() as usize).copied().unwrap_or_default();
    let above = sorted.get(place.ceil() as usize).copied().unwrap_or(below);
    below + (above - below) * place.fract()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quartiles_of_few_and_many() {
        let spread = |median, lower, upper| Spread { median, lower, upper };
        assert_eq!(Spread::of(&[]), spread(0.0, 0.0, 0.0));
        assert_eq!(Spread::of(&[7.0]), spread(7.0, 7.0, 7.0));
        assert_eq!(Spread::of(&[4.0, 1.0, 3.0, 2.0]), spread(2.5, 1.75, 3.25));
        assert_eq!(Spread::of(&[5.0, 1.0, 3.0, 2.0, 4.0]), spread(3.0, 2.0, 4.0));
    }
}
