//! In which order devices are written to: batches, at most one device of a redundancy group in each. Where no group is known,
//! devices of one site and role count as one group (T17): they may be each other's way out.

use std::collections::BTreeSet;

use tool_runtime::ports::config_changer::ProvenTarget;

/// What must not be written to in one batch.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Together<'t> {
    Group(&'t str),
    Place(Option<&'t str>, Option<&'t str>),
}

fn together(target: &ProvenTarget) -> Together<'_> {
    match &target.redundancy_group {
        Some(group) => Together::Group(group),
        None => Together::Place(target.site.as_deref(), target.role.as_deref()),
    }
}

/// Batches of device ids. `sizes` says how many devices the first, the second … batch has at most; the last size goes on.
/// Devices keep the order that they were named in, as far as their groups allow.
pub(super) fn batches(targets: &[ProvenTarget], sizes: &[u32]) -> Vec<Vec<String>> {
    let mut left: Vec<&ProvenTarget> = targets.iter().collect();
    let mut batches: Vec<Vec<String>> = Vec::new();
    while !left.is_empty() {
        let size = sizes.get(batches.len()).or(sizes.last()).copied().unwrap_or(1).max(1) as usize;
        let mut taken = BTreeSet::new();
        let mut batch = Vec::new();
        left.retain(|target| {
            let fits = batch.len() < size && taken.insert(together(target));
            if fits {
                batch.push(target.device_id.clone());
            }
            !fits
        });
        batches.push(batch);
    }
    batches
}

#[cfg(test)]
mod tests {
    use tool_runtime::ports::config_changer::ProvenTarget;

    use super::batches;

    fn target(id: &str, group: Option<&str>, site: &str) -> ProvenTarget {
        ProvenTarget {
            device_id: id.into(),
            hostname: id.into(),
            serials: vec![id.into()],
            site: Some(site.into()),
            role: Some("ACCESS".into()),
            redundancy_group: group.map(str::to_owned),
            ci: None,
            age_s: 0,
        }
    }

    #[test]
    fn t17_one_of_a_redundancy_group_at_a_time() {
        let pair = [target("a", Some("g"), "x"), target("b", Some("g"), "x"), target("c", Some("h"), "x")];
        assert_eq!(batches(&pair, &[3]), [vec!["a", "c"], vec!["b"]]);
    }

    #[test]
    fn t17_without_a_known_group_one_per_site_and_role() {
        let all = [target("a", None, "x"), target("b", None, "x"), target("c", None, "y")];
        assert_eq!(batches(&all, &[3]), [vec!["a", "c"], vec!["b"]]);
        let mut unknown = all.clone();
        for target in &mut unknown {
            (target.site, target.role) = (None, None);
        }
        assert_eq!(batches(&unknown, &[3]), [vec!["a"], vec!["b"], vec!["c"]]);
    }

    #[test]
    fn batches_have_their_sizes_and_the_last_size_goes_on() {
        let all: Vec<ProvenTarget> = ["a", "b", "c", "d"].iter().map(|id| target(id, Some(id), "x")).collect();
        assert_eq!(batches(&all, &[1, 2]), [vec!["a"], vec!["b", "c"], vec!["d"]]);
        assert_eq!(batches(&all, &[]).len(), 4, "one at a time where nothing is said");
    }
}
