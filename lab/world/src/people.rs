//! The people of the lab as the systems of record know them: the lab's own cast by their sign-in names, approvers, and a
//! seeded crowd that calls the service desk; their groups, managers and roles.
//!
//! Passwords are no matter of the world: a simulator knows only the accounts that the lab gave it.
//! Where next: [`crate::cmdb`], [`crate::tickets`].

use crate::seed::Seed;

/// A person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// Sign-in name, the same in every system of the lab.
    pub user_name: String,
    /// First name.
    pub first_name: String,
    /// Last name.
    pub last_name: String,
    /// What they are.
    pub title: &'static str,
    /// Where they are.
    pub department: &'static str,
    /// Sign-in name of who leads them.
    pub manager: Option<&'static str>,
    /// Names of [`GROUPS`].
    pub groups: &'static [&'static str],
    /// Roles in the ticket system, in its words.
    pub roles: &'static [&'static str],
    /// Whether they still work here.
    pub active: bool,
}

/// A group: name, sign-in name of its manager, what it does.
pub const GROUPS: [(&str, &str, &str); 7] = [
    ("Network", "nora", "Runs switches, routers, wireless and firewalls"),
    ("Hardware", "nora", "Replaces and installs equipment"),
    ("Service Desk", "sam", "Answers callers and gives incidents to who can solve them"),
    ("CAB Approval", "ada", "Decides on normal changes"),
    ("eCAB Approval", "ada", "Decides on emergency changes at any hour"),
    ("Security", "audrey", "Looks after what only few may see"),
    ("Software", "dora", "Builds and runs applications"),
];

const ITIL: &[&str] = &["itil"];
const APPROVER: &[&str] = &["itil", "approver_user"];

/// User name, first and last name, title, department, manager, groups, roles.
type Cast = (
    &'static str,
    &'static str,
    &'static str,
    &'static str,
    &'static str,
    Option<&'static str>,
    &'static [&'static str],
    &'static [&'static str],
);

/// Those whom a person of the lab can be, and who decides with them.
const CAST: [Cast; 11] = [
    ("alice", "Alice", "Adler", "Network Engineer", "IT Network", Some("nora"), &["Network"], ITIL),
    (
        "bob",
        "Bob",
        "Brandt",
        "Senior Network Engineer",
        "IT Network",
        Some("nora"),
        &["Network", "CAB Approval"],
        APPROVER,
    ),
    ("sam", "Sam", "Sommer", "Service Desk Lead", "IT Service Desk", Some("ada"), &["Service Desk"], ITIL),
    ("dora", "Dora", "Dahl", "Developer", "IT Applications", Some("ada"), &["Software"], ITIL),
    (
        "ada",
        "Ada",
        "Admin",
        "Head of IT Operations",
        "IT Operations",
        None,
        &["CAB Approval", "eCAB Approval"],
        &["admin", "itil", "approver_user", "change_manager"],
    ),
    ("audrey", "Audrey", "Auditor", "Auditor", "Compliance", None, &["Security"], &["snc_read_only"]),
    ("vic", "Vic", "Visitor", "Visitor", "External", None, &[], &[]),
    (
        "nora",
        "Nora",
        "Nilsson",
        "Manager Network",
        "IT Network",
        Some("ada"),
        &["Network", "Hardware", "CAB Approval"],
        APPROVER,
    ),
    (
        "carl",
        "Carl",
        "Castell",
        "Change Manager",
        "IT Operations",
        Some("ada"),
        &["CAB Approval", "eCAB Approval"],
        APPROVER,
    ),
    ("hugo", "Hugo", "Hart", "Field Technician", "IT Network", Some("nora"), &["Hardware"], ITIL),
    ("sofia", "Sofia", "Silva", "Service Desk Agent", "IT Service Desk", Some("sam"), &["Service Desk"], ITIL),
];

const FIRST: [&str; 20] = [
    "Abel", "Beth", "Carol", "David", "Elena", "Fred", "Grace", "Hiro", "Ines", "Jonas", "Kira", "Luis", "Mina",
    "Noah", "Olga", "Paul", "Quinn", "Rosa", "Stefan", "Tara",
];
const LAST: [&str; 20] = [
    "Tuttle", "Anglin", "Coughlin", "Loo", "Rossi", "Luddy", "Okafor", "Tanaka", "Moreau", "Weber", "Novak", "Garcia",
    "Park", "Becker", "Ivanova", "Smith", "Reyes", "Costa", "Lund", "Singh",
];
const DEPARTMENTS: [&str; 5] = ["Sales", "Finance", "Human Resources", "Development", "Operations"];

/// Everybody of lab number `number`, the cast first. User names are unique.
pub fn people(number: u64) -> Vec<Person> {
    let cast = CAST.iter().map(|&(user_name, first, last, title, department, manager, groups, roles)| Person {
        user_name: user_name.to_owned(),
        first_name: first.to_owned(),
        last_name: last.to_owned(),
        title,
        department,
        manager,
        groups,
        roles,
        active: true,
    });
    let seed = Seed::new(number, "people");
    let crowd = FIRST.iter().zip(0_u64..).flat_map(|(first, row)| {
        let mut draw = seed.draw("crowd", row);
        (0..3).map(move |_| {
            let last = draw.pick(&LAST, "Smith");
            Person {
                user_name: format!("{}.{}", first.to_lowercase(), last.to_lowercase()),
                first_name: (*first).to_owned(),
                last_name: last.to_owned(),
                title: "Employee",
                department: draw.pick(&DEPARTMENTS, "Sales"),
                manager: None,
                groups: &[],
                roles: &[],
                active: !draw.chance(5),
            }
        })
    });
    let mut all: Vec<Person> = cast.chain(crowd).collect();
    let mut seen = std::collections::BTreeSet::new();
    all.retain(|person| seen.insert(person.user_name.clone()));
    all
}

#[cfg(test)]
mod tests {
    use super::{GROUPS, people};

    #[test]
    fn groups_and_managers_exist_and_the_board_has_people_of_the_lab() {
        let all = people(1);
        let known = |name: &str| all.iter().any(|person| person.user_name == name);
        for person in &all {
            assert!(person.manager.is_none_or(known), "{}", person.user_name);
            assert!(person.groups.iter().all(|group| GROUPS.iter().any(|(name, ..)| name == group)));
        }
        assert!(GROUPS.iter().all(|(_, manager, _)| known(manager)));
        let board = all.iter().filter(|person| person.groups.contains(&"CAB Approval"));
        assert!(board.clone().count() >= 3 && board.clone().any(|person| person.user_name == "ada"));
        assert!(all.len() > 50);
    }
}
