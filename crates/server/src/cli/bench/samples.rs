//! Samples of a duration, and their percentiles.

use std::time::Duration;

/// Samples in nanoseconds.
#[derive(Debug, Default)]
pub(super) struct Samples(Vec<u64>);

impl Samples {
    pub(super) fn push(&mut self, sample: Duration) {
        self.0
            .push(u64::try_from(sample.as_nanos()).unwrap_or(u64::MAX));
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Sorts the samples for [`Sorted::percentile`].
    pub(super) fn sort(mut self) -> Sorted {
        self.0.sort_unstable();
        Sorted(self.0)
    }
}

/// Samples in order.
#[derive(Debug)]
pub(super) struct Sorted(Vec<u64>);

impl Sorted {
    /// The smallest sample that `percent` of all are at most, in milliseconds; 0 without
    /// samples.
    pub(super) fn percentile_ms(&self, percent: f64) -> f64 {
        let rank = (percent / 100.0 * self.0.len() as f64).ceil() as usize;
        let sample = self.0.get(rank.saturating_sub(1)).copied().unwrap_or(0);
        sample as f64 / 1e6
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_samples() {
        let mut samples = Samples::default();
        for ms in (1..=100).rev() {
            samples.push(Duration::from_millis(ms));
        }
        assert_eq!(samples.len(), 100);
        let sorted = samples.sort();
        assert_eq!(sorted.percentile_ms(50.0), 50.0);
        assert_eq!(sorted.percentile_ms(99.0), 99.0);
        assert_eq!(sorted.percentile_ms(100.0), 100.0);
    }

    #[test]
    fn no_samples_and_huge_ones_do_no_harm() {
        assert_eq!(Samples::default().sort().percentile_ms(99.0), 0.0);
        let mut samples = Samples::default();
        samples.push(Duration::from_secs(3600));
        assert!(samples.sort().percentile_ms(50.0) > 4000.0);
    }
}
