//! Metric handles by label values: found without a lock or an allocation on the hot path, and bounded, so that no
//! caller can grow the process by naming things. Next: [`super::metrics`].

use arc_swap::ArcSwap;
use prometheus_client::metrics::family::{Family, MetricConstructor};

/// Label names and values of one time series.
pub(super) type Labels = Vec<(&'static str, String)>;

/// What stands in every label of a series past the bound.
pub(super) const OTHER: &str = "other";

/// One handle per combination of `N` label values, at most `limit` of them; further ones share the series `other`.
pub(super) struct Handles<M, const N: usize, C = fn() -> M> {
    fixed: Labels,
    names: [&'static str; N],
    limit: usize,
    family: Family<Labels, M, C>,
    known: ArcSwap<Vec<([Box<str>; N], M)>>,
}

impl<M: Clone, const N: usize, C: MetricConstructor<M>> Handles<M, N, C> {
    /// Handles in `family` whose series carry `fixed` and then `names`.
    pub(super) fn new(family: Family<Labels, M, C>, fixed: Labels, names: [&'static str; N], limit: usize) -> Self {
        Self { fixed, names, limit, family, known: ArcSwap::default() }
    }

    /// Runs `act` on the handle of these values. A few dozen entries at most, so a scan beats a hash.
    pub(super) fn with(&self, values: [&str; N], act: impl FnOnce(&M)) {
        let known = self.known.load();
        match known.iter().find(|(have, _)| have.iter().zip(values).all(|(h, v)| **h == *v)) {
            Some((_, handle)) => act(handle),
            None if known.len() < self.limit => act(&self.add(values)),
            None => act(&self.series([OTHER; N])),
        }
    }

    fn add(&self, values: [&str; N]) -> M {
        let handle = self.series(values);
        let key = values.map(Box::from);
        self.known.rcu(|now| {
            let mut next = Vec::clone(now);
            if next.iter().all(|(have, _)| *have != key) {
                next.push((key.clone(), handle.clone()));
            }
            next
        });
        handle
    }

    fn series(&self, values: [&str; N]) -> M {
        let mut labels = self.fixed.clone();
        labels.extend(self.names.iter().copied().zip(values.iter().map(|v| (*v).to_owned())));
        self.family.get_or_create_owned(&labels)
    }
}

#[cfg(test)]
mod tests {
    use prometheus_client::metrics::counter::Counter;
    use prometheus_client::metrics::family::Family;

    use super::Handles;

    #[test]
    fn values_past_the_bound_share_one_series() {
        let family = Family::<super::Labels, Counter>::default();
        let handles: Handles<Counter, 1> = Handles::new(family.clone(), Vec::new(), ["reason"], 2);
        for reason in ["a", "b", "a", "c", "d"] {
            handles.with([reason], |c| {
                c.inc();
            });
        }
        let count = |reason: &str| family.get(&vec![("reason", reason.to_owned())]).map(|c| c.get());
        assert_eq!((count("a"), count("b"), count("other")), (Some(2), Some(1), Some(2)));
        assert_eq!(count("c"), None);
    }
}
