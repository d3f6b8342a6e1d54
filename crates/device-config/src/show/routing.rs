//! Routing: `show ip ospf neighbor`, `show ip bgp summary`, `show ip route summary`.

use super::{Os, ShowFault, behind, behind_heading, is_heading, number, os, words};
use crate::Platform;

/// A row of `show ip ospf neighbor`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OspfNeighbor {
    /// The neighbour's router id.
    pub id: String,
    /// `FULL`, `2WAY`, `EXSTART`.
    pub state: String,
    /// `DR`, `BDR`, `DROTHER`; `None` on a link without one.
    pub role: Option<String>,
    /// The neighbour's address on the link.
    pub address: String,
    /// Our interface.
    pub interface: String,
}

/// Reads `show ip ospf neighbor`. No neighbour at all prints nothing on IOS XE, so an empty text is an empty list there.
///
/// # Errors
///
/// An unsupported platform, or a text that is something else.
pub fn ospf_neighbors(platform: Platform, text: &str) -> Result<Vec<OspfNeighbor>, ShowFault> {
    const COMMAND: &str = "show ip ospf neighbor";
    let os = os(platform, COMMAND)?;
    if text.trim().is_empty() && os == Os::IosXe {
        return Ok(Vec::new());
    }
    behind_heading(text, &["Neighbor ID", "Pri", "State", "Address", "Interface"], COMMAND)?;
    let row = |line: &str| {
        // `FULL/  -` has a blank inside.
        let joined = line.replace("/ ", "/").replace("/ ", "/");
        let words = words(&joined);
        let [id, priority, state, _time, address, interface] = words.as_slice() else { return None };
        number::<u32>(priority)?;
        let (state, role) = state.split_once('/')?;
        Some(OspfNeighbor {
            id: (*id).to_owned(),
            state: state.to_owned(),
            role: (!matches!(role, "-" | "")).then(|| role.to_owned()),
            address: (*address).to_owned(),
            interface: (*interface).to_owned(),
        })
    };
    Ok(text.lines().filter_map(row).collect())
}

/// A row of `show ip bgp summary`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BgpNeighbor {
    /// The neighbour's address.
    pub address: String,
    /// Its system, as printed: `65001`, `1.10`.
    pub remote_as: String,
    /// How long it has been as it is: `1w2d`, `00:12:44`, `never`.
    pub up_down: String,
    /// Prefixes received, when the session is established.
    pub prefixes: Option<u64>,
    /// `Established`, or what the device says instead: `Idle`, `Active`, `Idle (Admin)`.
    pub state: String,
}

/// Reads `show ip bgp summary`.
///
/// # Errors
///
/// An unsupported platform, or a text without a summary.
pub fn bgp_summary(platform: Platform, text: &str) -> Result<Vec<BgpNeighbor>, ShowFault> {
    const COMMAND: &str = "show ip bgp summary";
    os(platform, COMMAND)?;
    let heading = ["Neighbor", "V", "AS", "MsgRcvd", "MsgSent", "State/PfxRcd"];
    // Without neighbours IOS XE prints the first lines only.
    if !text
        .lines()
        .any(|line| is_heading(line, &["BGP router identifier", "local AS number"]) || is_heading(line, &heading))
    {
        return Err(ShowFault::NotThis { command: COMMAND });
    }
    let (mut neighbors, mut wrapped) = (Vec::new(), None);
    for line in text.lines() {
        let mut parts = words(line);
        if let Some(address) = wrapped.take().filter(|_| line.starts_with(' ')) {
            parts.insert(0, address);
        }
        match parts.as_slice() {
            [address] if is_address(address) => wrapped = Some(*address),
            [address, version, remote_as, counters @ .., up_down, state]
                if is_address(address) && is_version(version) =>
            {
                neighbors.push(bgp_row(address, remote_as, counters, up_down, state));
            }
            _ => {}
        }
    }
    Ok(neighbors)
}

fn is_version(word: &str) -> bool {
    word == "4"
}

fn is_address(word: &str) -> bool {
    // `*10.1.1.1` is a neighbour that was found by a range.
    word.trim_start_matches('*').parse::<std::net::IpAddr>().is_ok()
}

/// Five counters stand between; a sixth word is the time, and the state has two words.
fn bgp_row(address: &str, remote_as: &str, counters: &[&str], up_down: &str, state: &str) -> BgpNeighbor {
    let (up_down, state) = match counters.get(5) {
        Some(time) => (*time, format!("{up_down} {state}")),
        None => (up_down, state.to_owned()),
    };
    let prefixes = number(&state);
    let state = if prefixes.is_some() { "Established".to_owned() } else { state };
    let address = address.trim_start_matches('*').to_owned();
    BgpNeighbor { address, remote_as: remote_as.to_owned(), up_down: up_down.to_owned(), prefixes, state }
}

/// `show ip route summary`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouteSummary {
    /// All routes of the table.
    pub routes: u64,
    /// Routes (IOS XE) or best paths (NX-OS) of each source, in the order printed: `connected`, `ospf 1`, `ospf-UNDERLAY`.
    pub sources: Vec<(String, u64)>,
}

/// Reads `show ip route summary`.
///
/// # Errors
///
/// An unsupported platform, or a text without a total.
pub fn route_summary(platform: Platform, text: &str) -> Result<RouteSummary, ShowFault> {
    const COMMAND: &str = "show ip route summary";
    let summary = match os(platform, COMMAND)? {
        Os::IosXe => ios_xe_routes(text),
        Os::NxOs => nx_os_routes(text),
    };
    summary.ok_or(ShowFault::NotThis { command: COMMAND })
}

fn ios_xe_routes(text: &str) -> Option<RouteSummary> {
    let mut lines = text.lines();
    let heading = lines.find(|line| is_heading(line, &["Route Source", "Networks", "Subnets"]))?;
    // Older releases have no column of replicates: the counts of routes are the first two all the same.
    let columns = words(heading).len() - 1 - usize::from(heading.contains("(bytes)"));
    let (mut routes, mut sources) = (None, Vec::new());
    for line in lines.filter(|line| !line.starts_with(' ')) {
        let words = words(line);
        let counts: Vec<u64> = words.iter().rev().map_while(|word| number(word)).take(columns - 1).collect();
        // Rows of internal counts have fewer numbers, and are no source.
        let (Some(networks), Some(subnets), true) =
            (counts.last(), counts.iter().rev().nth(1), counts.len() == columns - 1)
        else {
            continue;
        };
        let name = words.get(..words.len() - counts.len()).unwrap_or_default().join(" ");
        let sum = networks.saturating_add(*subnets);
        if name == "Total" { routes = Some(sum) } else { sources.push((name, sum)) }
    }
    Some(RouteSummary { routes: routes?, sources })
}

fn nx_os_routes(text: &str) -> Option<RouteSummary> {
    let routes = text.lines().find_map(|line| number(behind(line, "Total number of routes:")?))?;
    let best = text.lines().skip_while(|line| !line.contains("Best paths per protocol")).skip(1);
    let rows = best.map_while(|line| {
        let words = words(line);
        match words.as_slice() {
            [name, ":", count, ..] => Some(((*name).to_owned(), number(count)?)),
            _ => None,
        }
    });
    Some(RouteSummary { routes, sources: rows.collect() })
}
