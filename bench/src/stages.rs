//! Where a call's time goes, by the platform's own `interlock_stage_duration_seconds`: sums of wall time before and after
//! a load. With one connection almost all of it is work; with many, it includes waiting for a processor or for the disk.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use anyhow::Result;

use crate::http;

const METRIC: &str = "interlock_stage_duration_seconds";

/// Seconds so far, by stage.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Stages(BTreeMap<String, f64>);

impl Stages {
    /// Asks `/metrics`.
    pub(crate) async fn read(address: SocketAddr) -> Result<Self> {
        Ok(Self::parse(&http::get(address, "/metrics", &[]).await?))
    }

    fn parse(text: &str) -> Self {
        let sums = text.lines().filter_map(|line| {
            let rest = line.strip_prefix(METRIC)?.strip_prefix("_sum{stage=\"")?;
            let (stage, value) = rest.split_once("\"} ")?;
            Some((stage.to_owned(), value.split(' ').next()?.parse().ok()?))
        });
        Self(sums.collect())
    }

    /// Microseconds per call of each stage since `before`.
    pub(crate) fn since(&self, before: &Self, calls: usize) -> BTreeMap<String, f64> {
        let per_call = |(stage, sum): (&String, &f64)| {
            let spent = sum - before.0.get(stage).copied().unwrap_or(0.0);
            (stage.clone(), spent * 1e6 / calls as f64)
        };
        self.0.iter().map(per_call).filter(|(_, micros)| *micros > 0.0).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::Stages;

    #[test]
    fn sums_are_taken_per_call() {
        let text = |n: &str| {
            format!(
                "# TYPE x\ninterlock_stage_duration_seconds_sum{{stage=\"limit\"}} {n}\ninterlock_stage_duration_seconds_count{{stage=\"limit\"}} 4\n"
            )
        };
        let spent = Stages::parse(&text("0.003")).since(&Stages::parse(&text("0.001")), 1000);
        assert_eq!(spent.len(), 1);
        assert!((spent["limit"] - 2.0).abs() < 1e-9);
    }
}
