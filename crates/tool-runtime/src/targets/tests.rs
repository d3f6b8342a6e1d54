//! T17: how rows of several sources become devices, and which contradictions are kept.

use std::collections::BTreeSet;

use super::file::TargetsFile;
use super::index::{Index, Snapshot, SourceKind};
use super::search::TargetQuery;
use super::{FILE, Reason, Source, TargetDirectory, one_per_id};
use crate::ports::target_source::TargetRow;

fn row(id: &str, serials: &[&str]) -> TargetRow {
    let serials = serials.iter().map(|s| (*s).to_owned()).collect();
    TargetRow { id: id.into(), serials, hostname: None, site: None, role: None, redundancy_group: None, ci: None }
}

fn item(ci: &str, serials: &[&str]) -> TargetRow {
    TargetRow { ci: Some(ci.into()), ..row(ci, serials) }
}

fn index(sources: &[(&str, Vec<TargetRow>)]) -> Index {
    let snapshot = |(name, rows): &(&str, Vec<TargetRow>)| Snapshot {
        name: (*name).into(),
        kind: if *name == FILE { SourceKind::File } else { SourceKind::Server },
        read_at: 0,
        rows: rows.clone().into(),
    };
    Index::build(sources.iter().map(snapshot).collect())
}

fn reasons(index: &Index) -> Vec<Option<Reason>> {
    index.devices.iter().map(|d| d.ambiguity.as_ref().map(|a| a.reason)).collect()
}

#[test]
fn t17_a_stack_is_one_device_with_all_its_serials_and_the_facts_of_all_sources() {
    let stack =
        TargetRow { hostname: Some("sw1".into()), site: Some("Global/A".into()), ..row("d1", &["fcw2", "FCW1 "]) };
    let listed =
        TargetRow { redundancy_group: Some("pair".into()), site: Some("Global/B".into()), ..row("FCW1", &["FCW1"]) };
    let index = index(&[
        ("cc", vec![stack, row("d2", &["OTHER"])]),
        ("cmdb", vec![item("ci1", &["FCW2"])]),
        (FILE, vec![listed]),
    ]);
    assert_eq!((index.devices.len(), reasons(&index)), (2, vec![None, None]));
    let device = index.by_id(0, "d1").unwrap();
    assert_eq!(device.merged.serials, ["FCW1", "FCW2"]);
    assert_eq!(device.merged.hostname.as_deref(), Some("sw1"));
    assert_eq!(device.merged.site.as_deref(), Some("Global/B"), "the operator's word goes first");
    assert_eq!((device.merged.ci.as_deref(), device.merged.redundancy_group.as_deref()), (Some("ci1"), Some("pair")));
    assert!(
        std::ptr::eq(index.by_serial("FCW2").unwrap(), device) && std::ptr::eq(index.by_id(1, "ci1").unwrap(), device)
    );
    assert_eq!(index.by_id(0, "d2").unwrap().merged.ci, None);
}

#[test]
fn t17_each_contradiction_is_found_and_names_its_parties() {
    let grouped = |group: &str, id: &str| TargetRow { redundancy_group: Some(group.into()), ..row(id, &["A"]) };
    let ci_of = |ci: &str, row: TargetRow| TargetRow { ci: Some(ci.into()), ..row };
    for (sources, reason, parties) in [
        (vec![("cc", vec![row("d1", &["A"]), row("d2", &["a"])])], Reason::ClaimedTwice, vec!["d1", "d2"]),
        (
            vec![("cc", vec![row("d1", &["A"])]), ("cc2", vec![row("d9", &["A"])])],
            Reason::SeveralControllers,
            vec!["d1", "d9"],
        ),
        (
            vec![("cc", vec![row("d1", &["A"])]), ("cmdb", vec![item("c1", &["A"]), item("c2", &["A"])])],
            Reason::SeveralItems,
            vec!["c1", "c2"],
        ),
        (
            vec![("cmdb", vec![item("c1", &["A"])]), (FILE, vec![ci_of("c2", row("A", &["A"]))])],
            Reason::SeveralItems,
            vec!["c1", "A"],
        ),
        (
            vec![("cc", vec![grouped("x", "d1")]), (FILE, vec![grouped("y", "A")])],
            Reason::SeveralGroups,
            vec!["d1", "A"],
        ),
        // Two devices of one controller that only a wrong record holds together.
        (
            vec![("cc", vec![row("d1", &["A"]), row("d2", &["B"])]), ("cmdb", vec![item("c1", &["A", "B"])])],
            Reason::ClaimedTwice,
            vec!["d1", "d2"],
        ),
    ] {
        let index = index(&sources);
        assert_eq!(reasons(&index), [Some(reason)]);
        let named: BTreeSet<_> =
            index.devices[0].ambiguity.iter().flat_map(|a| &a.claims).map(|c| c.id.clone()).collect();
        assert_eq!(named, parties.iter().map(|p| (*p).to_owned()).collect(), "{reason:?}");
        let refusal = index.devices[0].ambiguity.as_ref().unwrap().refusal();
        assert_eq!(refusal.code(), "target_ambiguous");
        assert!(parties.iter().all(|party| refusal.message().contains(party)), "{}", refusal.message());
    }
    let shared = index(&[
        ("cc", vec![row("d1", &["A"]), row("d2", &["B"])]),
        (FILE, vec![ci_of("c", row("A", &["A"])), ci_of("c", row("B", &["B"]))]),
    ]);
    assert_eq!(reasons(&shared), [Some(Reason::SharedItem), Some(Reason::SharedItem)]);
}

#[test]
fn t17_what_is_no_serial_number_joins_nothing() {
    let index =
        index(&[("cc", vec![row("d1", &["N/A"]), row("d2", &["n/a", ""]), row("d3", &["null"]), row("d4", &[])])]);
    assert_eq!((index.devices.len(), index.ambiguous()), (4, 0));
}

#[test]
fn rows_of_one_id_are_one_row_and_later_ones_fill_in() {
    let site = |site: &str| TargetRow { site: Some(site.into()), ..row("d1", &[]) };
    let rows = one_per_id(vec![row("d1", &["A"]), row("d2", &["B"]), site("Global/A"), site("Global/B"), site("x")]);
    assert_eq!(rows.len(), 2);
    assert_eq!((rows[0].serials.as_slice(), rows[0].site.as_deref()), (&["A".to_owned()][..], Some("Global/A")));
}

/// A directory with these sources, read at 100.
fn directory(sources: &[(&str, Vec<TargetRow>)]) -> TargetDirectory {
    let directory = TargetDirectory::default();
    *directory.lock() = sources
        .iter()
        .map(|(name, _)| Source {
            name: (*name).to_owned(),
            kind: if *name == FILE { SourceKind::File } else { SourceKind::Server },
            said: None,
            failed: None,
        })
        .collect();
    for (name, rows) in sources {
        directory.publish(name, 100, rows.clone());
    }
    directory
}

#[test]
fn t10_a_search_shows_and_compares_only_what_the_callers_servers_know() {
    let named = |hostname: &str, row: TargetRow| TargetRow { hostname: Some(hostname.into()), ..row };
    let directory = directory(&[
        ("cc", vec![named("Core-1", row("d1", &["A"])), named("core-2", row("d2", &["B"]))]),
        ("cmdb", vec![named("CORE-1", item("c1", &["A"])), item("c3", &["C"])]),
        (FILE, vec![TargetRow { role: Some("CORE".into()), ..row("B", &["B"]) }, row("D", &["D"])]),
    ]);
    let found = |servers: &[&str], query: TargetQuery| {
        directory.search(&query, &servers.iter().copied().collect(), (0, 10), 160)
    };
    let all = found(&["cc", "cmdb"], TargetQuery::default());
    assert_eq!(all.total, 3, "what only the file knows is reachable nowhere");
    let engineer = found(&["cc"], TargetQuery { hostname: Some("CORE".into()), ..TargetQuery::default() });
    assert_eq!(engineer.total, 2);
    assert_eq!(
        (engineer.rows[0].ci.as_deref(), engineer.rows[0].known_as.len(), engineer.rows[0].age_s),
        (None, 1, 60)
    );
    let by_ci =
        |servers: &[&str]| found(servers, TargetQuery { ci: Some("c1".into()), ..TargetQuery::default() }).total;
    assert_eq!((by_ci(&["cc"]), by_ci(&["cc", "cmdb"]), by_ci(&[])), (0, 1, 0));
    let by_role = found(&["cc"], TargetQuery { role: Some("core".into()), ..TargetQuery::default() });
    assert_eq!(by_role.rows[0].serials, ["B"], "the operator's file adds to what a server knows");
    let by_serial = found(&["cc"], TargetQuery { serial: Some(" b".into()), ..TargetQuery::default() });
    assert_eq!((by_serial.total, by_serial.rows[0].known_as[0].id.as_str()), (1, "d2"));
    let nothing = found(&["cc"], TargetQuery { serial: Some("n/a".into()), ..TargetQuery::default() });
    assert_eq!(nothing.total, 0, "no serial number is nobody's");
    let page = directory.search(&TargetQuery::default(), &BTreeSet::from(["cc", "cmdb"]), (1, 1), 160);
    assert_eq!((page.rows.len(), page.total), (1, 3));
}

#[test]
fn t10_the_parties_of_a_contradiction_are_not_shown_to_who_cannot_use_their_server() {
    let directory =
        directory(&[("cc", vec![row("d1", &["A"])]), ("cmdb", vec![item("c1", &["A"]), item("c2", &["A"])])]);
    let found = |servers: BTreeSet<&str>| {
        let query = TargetQuery { ambiguous: true, ..TargetQuery::default() };
        serde_json::to_string(&directory.search(&query, &servers, (0, 9), 0).rows).unwrap()
    };
    let engineer = found(BTreeSet::from(["cc"]));
    assert!(engineer.contains("several_items") && !engineer.contains("c1") && !engineer.contains("cmdb"), "{engineer}");
    assert!(found(BTreeSet::from(["cc", "cmdb"])).contains("c2"));
}

#[test]
fn a_wrong_file_stops_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("devices.csv");
    for text in [None, Some("serials,sight\n"), Some("serials\nA\nA\n")] {
        if let Some(text) = text {
            std::fs::write(&path, text).unwrap();
        }
        assert_eq!(TargetsFile::open(&path).unwrap_err().code(), "targets_file_invalid", "{text:?}");
    }
    std::fs::write(&path, "serials\nA\n").unwrap();
    assert_eq!(TargetsFile::open(&path).unwrap().read().unwrap().len(), 1);
}

#[test]
fn t10_the_order_of_what_is_found_does_not_tell_what_is_hidden() {
    let named = |hostname: &str, row: TargetRow| TargetRow { hostname: Some(hostname.into()), ..row };
    let directory = directory(&[
        ("cc", vec![row("d1", &["A"]), named("m", row("d2", &["B"]))]),
        ("cmdb", vec![named("z", item("c1", &["A"]))]),
    ]);
    let ids = |servers: &[&str]| {
        let found = directory.search(&TargetQuery::default(), &servers.iter().copied().collect(), (0, 9), 100);
        found.rows.into_iter().map(|row| row.known_as[0].id.clone()).collect::<Vec<_>>()
    };
    assert_eq!(
        (ids(&["cc", "cmdb"]), ids(&["cc"])),
        (vec!["d2".to_owned(), "d1".into()], vec!["d1".into(), "d2".into()])
    );
}

#[test]
fn what_callers_see_is_composed_once_for_each_set_of_sources_and_dropped_with_the_index() {
    let sources: Vec<_> = (0..6).map(|n| (format!("s{n}"), vec![row("d", &["A"])])).collect();
    let sources: Vec<_> = sources.iter().map(|(name, rows)| (name.as_str(), rows.clone())).collect();
    let directory = directory(&sources);
    let search = |mask: u32| {
        let servers = sources.iter().enumerate().filter(|(at, _)| mask >> at & 1 == 1).map(|(_, (name, _))| *name);
        directory.search(&TargetQuery::default(), &servers.collect(), (0, 9), 100).total
    };
    let kept = || directory.index.load().views.kept();
    assert_eq!((search(0b11), search(0b11), search(0), kept()), (1, 1, 0, 2));
    assert!((1..64).all(|mask| search(mask) == 1));
    assert_eq!(kept(), 16, "their number is bounded");
    directory.publish("s0", 200, vec![]);
    assert_eq!((kept(), search(0b1), search(0b10)), (0, 0, 1));
}

mod against_a_plain_search {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::super::join::{compose, normalised};
    use super::*;

    const NAMES: [&str; 3] = ["cc", "cmdb", FILE];

    fn rows() -> impl Strategy<Value = Vec<TargetRow>> {
        let word = || prop_oneof![Just(None), "[abA\n]{0,3}".prop_map(Some)];
        let row = (prop::collection::vec("[ABCDEF]", 0..3), word(), word(), word(), word());
        prop::collection::vec(row, 0..8).prop_map(|rows| {
            let numbered = rows.into_iter().enumerate();
            let row = |(n, (serials, hostname, site, role, ci))| TargetRow {
                id: format!("d{n}"),
                serials,
                hostname,
                site,
                role,
                redundancy_group: None,
                ci,
            };
            numbered.map(row).collect()
        })
    }

    fn query() -> impl Strategy<Value = TargetQuery> {
        let word = || prop_oneof![3 => Just(None), 1 => "[abA\n ]{0,3}".prop_map(Some)];
        let serial = prop_oneof![3 => Just(None), 1 => "[ABCDEF]".prop_map(Some)];
        let server = prop_oneof![3 => Just(None), 1 => Just(Some("cc".to_owned()))];
        (word(), serial, word(), word(), word(), server, any::<bool>()).prop_map(
            |(hostname, serial, site, role, ci, server, ambiguous)| TargetQuery {
                hostname,
                serial,
                site,
                role,
                redundancy_group: None,
                ci,
                server,
                ambiguous,
            },
        )
    }

    /// Ids of the devices that match, by looking at every row of every device.
    fn plainly(index: &Index, query: &TargetQuery, servers: &BTreeSet<&str>) -> BTreeSet<Vec<String>> {
        let small = |text: &Option<String>| text.clone().unwrap_or_default().to_lowercase();
        let asked = |text: &Option<String>| small(text).trim().to_owned();
        let mut found = BTreeSet::new();
        for device in &index.devices {
            let all: Vec<_> = device.rows.iter().map(|at| index.said(*at)).collect();
            let visible: Vec<_> =
                all.iter().copied().filter(|s| s.kind == SourceKind::File || servers.contains(s.source)).collect();
            let seen = compose(&visible);
            let reached = visible
                .iter()
                .any(|s| s.kind == SourceKind::Server && query.server.as_ref().is_none_or(|server| server == s.source));
            let serial = query.serial.as_ref().is_none_or(|s| normalised(s).is_some_and(|s| seen.serials.contains(&s)));
            if reached
                && serial
                && (!query.ambiguous || device.ambiguity.is_some())
                && small(&seen.hostname).contains(&asked(&query.hostname))
                && small(&seen.site).contains(&asked(&query.site))
                && (asked(&query.role).is_empty() || small(&seen.role) == asked(&query.role))
                && (query.ci.is_none() || seen.ci == query.ci)
            {
                let claims = visible.iter().filter(|s| s.source != FILE);
                found.insert(claims.map(|s| format!("{}/{}", s.source, s.row.id)).collect());
            }
        }
        found
    }

    proptest! {
        #[test]
        fn t10_a_search_finds_what_a_look_at_every_row_finds(
            sources in [rows(), rows(), rows()], query in query(), servers in 0_u8..4, page in (0_u64..4, 1_u32..4),
        ) {
            let named: Vec<_> = NAMES.into_iter().zip(sources).collect();
            let directory = directory(&named);
            let servers = NAMES[..2].iter().enumerate().filter(|(at, _)| servers >> at & 1 == 1).map(|(_, name)| *name);
            let servers = servers.collect();
            let all = directory.search(&query, &servers, (0, 100), 100);
            let ids = |rows: &[super::super::search::FoundTarget]| -> Vec<Vec<String>> {
                rows.iter().map(|r| r.known_as.iter().map(|c| format!("{}/{}", c.source, c.id)).collect()).collect()
            };
            let found = ids(&all.rows);
            prop_assert_eq!(found.len() as u64, all.total);
            prop_assert_eq!(found.iter().cloned().collect::<BTreeSet<_>>(), plainly(&directory.index.load(), &query, &servers));
            let (skip, most) = (usize::try_from(page.0).unwrap(), page.1 as usize);
            let part = directory.search(&query, &servers, page, 100);
            prop_assert_eq!(part.total, all.total);
            prop_assert_eq!(ids(&part.rows), found.into_iter().skip(skip).take(most).collect::<Vec<_>>());
        }
    }
}
