//! The devices that the CMDB knows, for the target directory (T17): items of network gear with a serial number, without
//! retired ones. A stack is one device: its members' serial numbers, under the id of the item that stands for it. A
//! redundancy group is the cluster that an item is a node of.
//!
//! Pages go over chassis. A stack whose members fall into several pages is told once, with the member whose id comes first.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use async_trait::async_trait;
use platform::Error;
use tool_runtime::ToolCx;
use tool_runtime::ports::target_source::{TargetPage, TargetRow, TargetSource};

use crate::client::{AT_ONCE, Api, Rows};
use crate::model::serials;
use crate::query::{Query, Table};
use crate::record::Record;
use crate::resolve::GONE;

/// The class above switches, routers, firewalls and access points.
static GEAR: Table = Table { name: "cmdb_ci_netgear", fields: &["sys_id", "serial_number", "install_status"] };
static RELATIONS: Table = Table { name: "cmdb_rel_ci", fields: &["parent", "child"] };

/// What is read of an item.
const ITEM: [&str; 5] = ["sys_id", "name", "serial_number", "location", "location.full_name"];
/// What is read of a relation.
const RELATION: [&str; 5] = ["parent", "child", "type.name", "parent.name", "parent.sys_class_name"];
/// The relation of a stack to its members, as the vendor ships it.
const STACK: &str = "Members::Member of";
/// The class of clusters, and what its relation to nodes is called.
const CLUSTER_CLASS: &str = "cmdb_ci_cluster";

/// Over one instance.
pub(crate) struct Targets {
    pub(crate) api: Arc<Api>,
}

#[async_trait]
impl TargetSource for Targets {
    async fn targets(&self, cx: &ToolCx, offset: u64) -> Result<TargetPage, Error> {
        let query = Query::of(&GEAR).present("serial_number").none_of("install_status", GONE).build()?;
        let Rows { rows, total } = self.api.rows(cx, &GEAR, &query, &ITEM, (offset, AT_ONCE)).await?;
        let end = offset + AT_ONCE;
        let more = total.map_or(rows.len() as u64 == AT_ONCE, |total| end < total);
        Ok(TargetPage { rows: self.devices(cx, rows).await?, next: more.then_some(end) })
    }
}

/// Who is above whom.
#[derive(Default)]
struct Above {
    /// Stack of a member: its id and name.
    stacks: BTreeMap<String, (String, Option<String>)>,
    /// Clusters of a node, by name.
    clusters: BTreeMap<String, BTreeSet<String>>,
}

impl Targets {
    async fn devices(&self, cx: &ToolCx, chassis: Vec<Record>) -> Result<Vec<TargetRow>, Error> {
        let above = self.above(cx, chassis.iter().map(Record::id).collect()).await?;
        let stack_ids: BTreeSet<String> = above.stacks.values().map(|(id, _)| id.clone()).collect();
        let members = self.members(cx, &stack_ids).await?;
        let stack_groups = self.above(cx, stack_ids.into_iter().collect()).await?.clusters;
        let mut rows = Vec::with_capacity(chassis.len());
        for item in &chassis {
            let id = item.id();
            let Some((stack, name)) = above.stacks.get(&id) else {
                rows.push(row(item, serials(item), group(&above.clusters, &id), None));
                continue;
            };
            let all = members.get(stack).map(Vec::as_slice).unwrap_or_default();
            // The first of the stack's members tells it; the others are told with it.
            if all.iter().map(Record::id).min().is_none_or(|first| first == id) {
                let numbers = all.iter().flat_map(serials).collect();
                rows.push(row(item, numbers, group(&stack_groups, stack), Some((stack.clone(), name.clone()))));
            }
        }
        Ok(rows)
    }

    /// Stacks and clusters above items.
    async fn above(&self, cx: &ToolCx, ids: Vec<String>) -> Result<Above, Error> {
        let mut above = Above::default();
        if ids.is_empty() {
            return Ok(above);
        }
        let query = Query::of(&RELATIONS).one_of("child", ids).build()?;
        for relation in self.api.all(cx, &RELATIONS, &query, &RELATION).await? {
            let (Some(parent), Some(child)) = (relation.owned("parent"), relation.owned("child")) else { continue };
            if relation.text("parent.sys_class_name") == Some(CLUSTER_CLASS) {
                let name = relation.owned("parent.name").unwrap_or(parent);
                above.clusters.entry(child).or_default().insert(name);
            } else if relation.text("type.name") == Some(STACK) {
                above.stacks.insert(child, (parent, relation.owned("parent.name")));
            }
        }
        Ok(above)
    }

    /// The members of stacks that are in the network, by stack.
    async fn members(&self, cx: &ToolCx, stacks: &BTreeSet<String>) -> Result<BTreeMap<String, Vec<Record>>, Error> {
        let mut members: BTreeMap<String, Vec<Record>> = BTreeMap::new();
        if stacks.is_empty() {
            return Ok(members);
        }
        let query = Query::of(&RELATIONS).one_of("parent", stacks).build()?;
        let mut stack_of = BTreeMap::new();
        for relation in self.api.all(cx, &RELATIONS, &query, &RELATION).await? {
            if let (Some(STACK), Some(parent), Some(child)) =
                (relation.text("type.name"), relation.owned("parent"), relation.owned("child"))
            {
                stack_of.insert(child, parent);
            }
        }
        let ids: Vec<String> = stack_of.keys().cloned().collect();
        for part in ids.chunks(usize::try_from(AT_ONCE).unwrap_or(200)) {
            let query =
                Query::of(&GEAR).one_of("sys_id", part).present("serial_number").none_of("install_status", GONE);
            for item in self.api.all(cx, &GEAR, &query.build()?, &ITEM).await? {
                if let Some(stack) = stack_of.get(&item.id()) {
                    members.entry(stack.clone()).or_default().push(item);
                }
            }
        }
        Ok(members)
    }
}

/// One group, or none: two clusters above one device contradict each other, and nothing is guessed.
fn group(clusters: &BTreeMap<String, BTreeSet<String>>, id: &str) -> Option<String> {
    let names = clusters.get(id)?;
    names.first().filter(|_| names.len() == 1).cloned()
}

fn row(
    item: &Record,
    serials: Vec<String>,
    redundancy_group: Option<String>,
    stack: Option<(String, Option<String>)>,
) -> TargetRow {
    let (id, name) = stack.unwrap_or_else(|| (item.id(), item.owned("name")));
    TargetRow {
        ci: Some(id.clone()),
        id,
        serials,
        hostname: name,
        site: item.owned("location.full_name").or_else(|| item.shown("location")),
        role: None,
        redundancy_group,
    }
}
