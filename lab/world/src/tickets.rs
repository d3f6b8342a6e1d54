//! Demo tickets of the lab: incidents of callers, past and planned changes, known problems, articles of the knowledge base,
//! and the schedules in which changes are wanted or unwanted. Everything is seeded; times are relative to the world's birth.
//!
//! Where next: the ticket system's simulator, which shows them.

use crate::people::Person;
use crate::seed::{Draw, Seed};

/// An incident. Times are seconds before the birth of the world.
#[derive(Debug, Clone)]
pub struct Incident {
    /// One line.
    pub short_description: String,
    /// `network`, `hardware`, ….
    pub category: &'static str,
    /// `wireless`, ….
    pub subcategory: &'static str,
    /// 1 high to 3 low.
    pub impact: u8,
    /// 1 high to 3 low.
    pub urgency: u8,
    /// Where it stands.
    pub stage: IncidentStage,
    /// Sign-in name of who called.
    pub caller: String,
    /// Group that has it.
    pub group: &'static str,
    /// Sign-in name of who works on it.
    pub assignee: Option<&'static str>,
    /// Which configuration item, counted over those of all regions (modulo their number).
    pub item: Option<usize>,
    /// When it was opened.
    pub opened_s: i64,
    /// When it was resolved, for those that are.
    pub resolved_s: Option<i64>,
    /// Notes of who worked on it: when, who, what.
    pub notes: Vec<(i64, &'static str, &'static str)>,
    /// Only the security group may see it.
    pub is_confidential: bool,
}

/// Where an incident stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IncidentStage {
    /// Nobody has looked.
    New,
    /// Somebody works on it.
    InProgress,
    /// It waits for its caller.
    OnHold,
    /// There is a solution.
    Resolved,
    /// It is over.
    Closed,
}

/// A planned or past change. Times are seconds after the birth of the world, negative before it.
#[derive(Debug, Clone)]
pub struct Change {
    /// One line.
    pub short_description: &'static str,
    /// Where it stands.
    pub stage: ChangeStage,
    /// Sign-in name of who wants it.
    pub requester: &'static str,
    /// Which configuration item, as for an incident.
    pub item: usize,
    /// Planned start and end.
    pub window_s: (i64, i64),
    /// 2 high, 3 moderate, 4 low.
    pub risk: u8,
}

/// Where a change stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangeStage {
    /// Written.
    New,
    /// Approved and planned.
    Scheduled,
    /// Carried out and closed.
    Closed,
}

/// A time in which changes are unwanted, or wanted only then. Seconds after the birth of the world.
#[derive(Debug, Clone, Copy)]
pub struct Window {
    /// Name of the schedule.
    pub name: &'static str,
    /// Why.
    pub description: &'static str,
    /// From and to.
    pub span_s: (i64, i64),
}

const HOUR: i64 = 3_600;
const DAY: i64 = 24 * HOUR;

/// No change is wanted in these.
pub const BLACKOUTS: [Window; 2] = [
    Window {
        name: "Quarter close",
        description: "No changes while the books are closed",
        span_s: (30 * DAY, 34 * DAY),
    },
    Window { name: "Holiday freeze", description: "No changes while nobody is there", span_s: (60 * DAY, 74 * DAY) },
];

/// Changes of core devices are wanted only in this one, which returns every week.
pub const CORE_MAINTENANCE: Window = Window {
    name: "Core maintenance window",
    description: "Core and border devices are touched in this window only",
    span_s: (2 * DAY, 2 * DAY + 8 * HOUR),
};

/// Title and text of articles.
pub const ARTICLES: [(&str, &str); 5] = [
    (
        "How to add a VLAN to an access switch",
        "<p>Deploy the template <b>access-vlan</b>; save; look at <i>show vlan brief</i>.</p>",
    ),
    (
        "Access point does not join its controller",
        "<p>Look at the switch port, its VLAN and its power budget first.</p>",
    ),
    (
        "Password of a network device is rejected",
        "<p>Devices ask the directory. Try a second device before calling.</p>",
    ),
    (
        "What the change board wants to read",
        "<p>What, why, on which items, when, how it is checked, how it is undone.</p>",
    ),
    ("VPN asks for a code again and again", "<p>The clock of the phone is wrong. Set it and sign in again.</p>"),
];

/// Title and workaround of known problems.
pub const PROBLEMS: [(&str, &str); 3] = [
    ("Access points reboot when the power budget of the switch is used up", "Spread access points over stack members."),
    ("Uplinks flap after optics of one batch grow warm", "Replace optics of batch 2219."),
    ("Leases run out in guest VLANs on Mondays", "Shorten the lease time to four hours."),
];

/// What callers say: category, subcategory, line.
const CALLS: [(&str, &str, &str); 14] = [
    ("network", "wireless", "Wireless drops in meeting rooms"),
    ("network", "wireless", "Cannot join the guest network"),
    ("network", "switch", "Desk phone has no power"),
    ("network", "switch", "Port on the floor switch is dead"),
    ("network", "vpn", "VPN does not connect from home"),
    ("network", "dhcp", "Computer gets no address"),
    ("network", "dns", "Intranet name does not resolve"),
    ("network", "router", "Branch reaches nothing beyond its router"),
    ("hardware", "cpu", "Notebook is very slow since yesterday"),
    ("hardware", "disk", "Disk makes a noise"),
    ("software", "email", "Mail client asks for a password all the time"),
    ("software", "internal application", "Expense tool shows an empty page"),
    ("inquiry", "antivirus", "What does this warning mean?"),
    ("database", "oracle", "Report ends with an Oracle error"),
];

const NETWORKERS: [&str; 3] = ["alice", "bob", "nora"];
const DESK: [&str; 2] = ["sam", "sofia"];

/// `count` incidents of lab number `number`, oldest first.
pub fn incidents(number: u64, people: &[Person], count: usize) -> Vec<Incident> {
    let seed = Seed::new(number, "incidents");
    (0..count).map(|row| incident(&mut seed.draw("incident", row as u64), people, count, row)).collect()
}

fn incident(draw: &mut Draw, people: &[Person], count: usize, row: usize) -> Incident {
    let (category, subcategory, short) = draw.pick(&CALLS, ("network", "wireless", "Wireless drops in meeting rooms"));
    let left = i64::try_from(count - row).unwrap_or(1);
    let opened_s = left * 2 * HOUR + i64::from(draw.below(HOUR as u32));
    let stage = match (left, draw.below(100)) {
        (0..=8, 0..60) => IncidentStage::New,
        (0..=8, _) => IncidentStage::InProgress,
        (_, 0..5) => IncidentStage::New,
        (_, 5..12) => IncidentStage::InProgress,
        (_, 12..15) => IncidentStage::OnHold,
        (_, 15..40) => IncidentStage::Resolved,
        _ => IncidentStage::Closed,
    };
    let network = category == "network";
    let worked_on = stage != IncidentStage::New;
    let assignee = if network { draw.pick(&NETWORKERS, "alice") } else { draw.pick(&DESK, "sam") };
    let over = matches!(stage, IncidentStage::Resolved | IncidentStage::Closed);
    let resolved_s = over.then(|| opened_s - opened_s.min(HOUR * (1 + i64::from(draw.below(30)))) / 2);
    let mut notes = Vec::new();
    if worked_on {
        notes.push((opened_s - opened_s.min(HOUR) / 4, assignee, "Looked at it with the caller on the phone."));
        if draw.chance(40) {
            notes.push((
                opened_s - opened_s.min(HOUR) / 3,
                assignee,
                "Interface counters show errors; cable is being replaced.",
            ));
        }
    }
    let caller = people.get(draw.below(u32::try_from(people.len()).unwrap_or(1)) as usize);
    Incident {
        short_description: short.to_owned(),
        category,
        subcategory,
        impact: draw.pick(&[1, 2, 2, 3, 3, 3], 3),
        urgency: draw.pick(&[1, 2, 2, 3, 3, 3], 3),
        stage,
        caller: caller.map_or_else(|| "alice".to_owned(), |person| person.user_name.clone()),
        group: if network { "Network" } else { "Service Desk" },
        assignee: worked_on.then_some(assignee),
        item: network.then(|| draw.below(u32::MAX) as usize),
        opened_s,
        resolved_s,
        notes,
        is_confidential: row % 29 == 7,
    }
}

/// Some changes of lab number `number`: most are over, some are planned within the next week.
pub fn changes(number: u64) -> Vec<Change> {
    const WORK: [&str; 8] = [
        "Add a voice VLAN on the floor",
        "Replace optics of the uplinks",
        "Upgrade software of the distribution pair",
        "Move access points to the new controller",
        "Renew the certificate of the wireless controller",
        "Add routes for the new branch",
        "Turn on storm control on access ports",
        "Replace a failing stack member",
    ];
    let seed = Seed::new(number, "changes");
    (0..40_u64)
        .map(|row| {
            let mut draw = seed.draw("change", row);
            let (stage, day) = match row {
                0..28 => (ChangeStage::Closed, -60 + 2 * i64::try_from(row).unwrap_or(0)),
                28..36 => (ChangeStage::Scheduled, 1 + i64::try_from(row - 28).unwrap_or(0)),
                _ => (ChangeStage::New, 10),
            };
            let start = day * DAY + HOUR * i64::from(draw.below(20));
            Change {
                short_description: draw.pick(&WORK, "Add a voice VLAN on the floor"),
                stage,
                requester: draw.pick(&NETWORKERS, "alice"),
                item: draw.below(u32::MAX) as usize,
                window_s: (start, start + HOUR * (1 + i64::from(draw.below(4)))),
                risk: draw.pick(&[2, 3, 4, 4], 4),
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{IncidentStage, changes, incidents};
    use crate::people::people;

    #[test]
    fn tickets_are_the_same_for_the_same_number_and_their_times_are_in_order() {
        let (one, two) = (incidents(5, &people(5), 200), incidents(5, &people(5), 200));
        assert_eq!(format!("{one:?}"), format!("{two:?}"));
        for incident in &one {
            assert!(incident.opened_s > 0 && incident.resolved_s.is_none_or(|at| at < incident.opened_s && at >= 0));
            assert!(incident.notes.iter().all(|note| note.0 <= incident.opened_s && note.0 > 0));
        }
        assert!(one.iter().any(|incident| incident.stage == IncidentStage::OnHold));
        assert!(changes(5).iter().all(|change| change.window_s.0 < change.window_s.1));
    }
}
