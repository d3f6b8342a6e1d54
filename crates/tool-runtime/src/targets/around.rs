//! A device that its own system just described, in the middle of what the other sources know of the same serial numbers.

use platform::policy::TargetFacts;

use super::index::{At, Device, Index, SourceKind};
use super::join::{Ambiguity, Said, compose, contradiction, normalised};
use super::{age, facts, fill};
use crate::ports::target_source::TargetRow;

/// A live row among the indexed rows that share serial numbers with it, directly or by others; its own indexed row is left out.
pub(super) struct Around<'a> {
    index: &'a Index,
    live: TargetRow,
    server: &'a str,
    rows: Vec<At>,
}

impl<'a> Around<'a> {
    pub(super) fn of(index: &'a Index, server: &'a str, facts: &TargetFacts) -> Self {
        let mut live = TargetRow {
            id: facts.id.clone(),
            serials: facts.serials.clone(),
            hostname: Some(facts.name.clone()),
            site: facts.site.clone(),
            role: facts.role.clone(),
            redundancy_group: facts.redundancy_group.clone(),
            ci: facts.ci.clone(),
        };
        let source = index.source(server);
        let own = source.and_then(|source| index.by_id(source, &facts.id));
        let is_own = |at: &At| Some(usize::from(at.source)) == source && index.said(*at).row.id == facts.id;
        // A list of the system's may say what its row about one device leaves out.
        if let Some(indexed) = own.and_then(|d| d.rows.iter().find(|at| is_own(at))).map(|at| index.said(*at).row) {
            fill(&mut live, indexed);
        }
        let touched: Vec<&Device> = live.serials.iter().filter_map(|s| index.by_serial(&normalised(s)?)).collect();
        let mut left: Vec<At> = touched.iter().flat_map(|d| &d.rows).copied().filter(|at| !is_own(at)).collect();
        left.sort_by_key(|at| (at.source, at.row));
        left.dedup();
        let (mut rows, mut serials) =
            (Vec::new(), live.serials.iter().filter_map(|s| normalised(s)).collect::<Vec<_>>());
        // Without the old row of the device, others may have nothing to do with it any more.
        while let Some(place) = left.iter().position(|at| {
            index.said(*at).row.serials.iter().filter_map(|s| normalised(s)).any(|s| serials.contains(&s))
        }) {
            let at = left.swap_remove(place);
            serials.extend(index.said(at).row.serials.iter().filter_map(|s| normalised(s)));
            rows.push(at);
        }
        Self { index, live, server, rows }
    }

    fn said(&self) -> Vec<Said<'_>> {
        let live = Said { source: self.server, kind: SourceKind::Server, row: &self.live };
        std::iter::once(live).chain(self.rows.iter().map(|at| self.index.said(*at))).collect()
    }

    pub(super) fn facts(&self, live: &TargetFacts, now: i64) -> TargetFacts {
        let ages = self.rows.iter().map(|at| age(now, self.index.sources[usize::from(at.source)].read_at));
        facts(&live.id, &compose(&self.said()), &live.source, ages.fold(live.age_s, i64::max))
    }

    pub(super) fn ambiguity(&self) -> Option<Ambiguity> {
        let said = self.said();
        contradiction(&said).or_else(|| {
            let ci = compose(&said).ci?;
            let own = self.index.source(self.server).and_then(|s| self.index.by_id(s, &self.live.id));
            let same = |other: &Device| own.is_some_and(|own| std::ptr::eq(own, other));
            let elsewhere = self.index.item_elsewhere(&ci, &self.rows).filter(|other| !same(other))?;
            let others = elsewhere.rows.iter().map(|at| self.index.said(*at).claim());
            Some(Ambiguity::shared_item(&ci, said.iter().map(Said::claim).chain(others).collect()))
        })
    }
}
