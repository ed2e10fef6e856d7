//! Many times of one thing, and what is said of them.

use serde::{Deserialize, Serialize};

/// Times in nanoseconds, in the order in which they were taken.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(into = "Summary", from = "Summary")]
pub(crate) struct Times(Vec<u64>);

/// What goes into the JSON file: milliseconds, and every single time.
#[derive(Debug, Serialize, Deserialize)]
struct Summary {
    count: usize,
    p50_ms: Option<f64>,
    p90_ms: Option<f64>,
    p99_ms: Option<f64>,
    all_ms: Vec<f64>,
}

impl Times {
    pub(crate) fn extend(&mut self, more: impl IntoIterator<Item = u64>) {
        self.0.extend(more);
    }

    pub(crate) fn append(&mut self, more: Self) {
        self.0.extend(more.0);
    }

    /// The smallest time that is not exceeded by so many percent of all ("nearest rank"), in milliseconds.
    pub(crate) fn percentile(&self, percent: usize) -> Option<f64> {
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        let rank = (sorted.len() * percent).div_ceil(100);
        sorted.get(rank.saturating_sub(1)).map(|&time| millis(time))
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}

impl From<Vec<u64>> for Times {
    fn from(times: Vec<u64>) -> Self {
        Self(times)
    }
}

impl From<Summary> for Times {
    fn from(summary: Summary) -> Self {
        // Nanoseconds again: a double has more digits than a time has.
        Self(summary.all_ms.iter().map(|ms| (ms * 1e6).round() as u64).collect())
    }
}

impl From<Times> for Summary {
    fn from(times: Times) -> Self {
        Self {
            count: times.0.len(),
            p50_ms: times.percentile(50),
            p90_ms: times.percentile(90),
            p99_ms: times.percentile(99),
            all_ms: times.0.iter().copied().map(millis).collect(),
        }
    }
}

pub(crate) fn millis(nanos: u64) -> f64 {
    nanos as f64 / 1e6
}

#[cfg(test)]
mod tests {
    use super::Times;

    #[test]
    fn percentiles_are_times_that_were_taken() {
        let mut times = Times::default();
        assert_eq!(times.percentile(50), None);
        times.extend([3_000_000]);
        assert_eq!((times.percentile(0), times.percentile(99)), (Some(3.0), Some(3.0)));
        times.extend((1..=100).rev().map(|n| n * 1_000_000));
        assert_eq!(times.len(), 101);
        assert_eq!(times.percentile(50), Some(50.0));
        assert_eq!(times.percentile(99), Some(99.0));
        assert_eq!(times.percentile(100), Some(100.0));
    }
}
