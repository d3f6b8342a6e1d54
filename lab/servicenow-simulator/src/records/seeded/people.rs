//! The lab's people with their groups and roles, and users that are no people.

use world::people::{GROUPS, Person};

use super::{DAY, Seeding};

impl Seeding<'_> {
    pub(super) fn people(&mut self, people: &[Person], account: &str) {
        for (name, manager, description) in GROUPS {
            let manager = self.id("sys_user", manager);
            self.named("sys_user_group", name, &[("manager", &manager), ("description", description)]);
        }
        for role in ["admin", "itil", "approver_user", "change_manager", "snc_read_only", "rest_service"] {
            self.named("sys_user_role", role, &[]);
        }
        for (number, person) in (1..).zip(people) {
            let department = self.named("cmn_department", person.department, &[]);
            let manager = person.manager.map(|name| self.id("sys_user", name)).unwrap_or_default();
            let row = self
                .row("sys_user", &self.id("sys_user", &person.user_name), -300 * DAY)
                .with("user_name", person.user_name.as_str())
                .with("first_name", person.first_name.as_str())
                .with("last_name", person.last_name.as_str())
                .with("name", format!("{} {}", person.first_name, person.last_name))
                .with("email", format!("{}@example.com", person.user_name))
                .with("title", person.title)
                .with("department", department)
                .with("manager", manager)
                .with("employee_number", format!("E{number:05}"))
                .with("active", if person.active { "true" } else { "false" });
            self.plant(row);
            for group in person.groups {
                self.member(&person.user_name, group);
            }
            for role in person.roles {
                self.role(&person.user_name, role);
            }
        }
        self.account("admin", "System", "Administrator", &["admin", "itil"]);
        if account != "admin" {
            self.account(account, "Integration", account, &["itil", "rest_service"]);
        }
    }

    /// A user that is no person.
    fn account(&mut self, user_name: &str, first: &str, last: &str, roles: &[&str]) {
        let integration = if user_name == "admin" { "false" } else { "true" };
        let row = self
            .row("sys_user", &self.id("sys_user", user_name), -300 * DAY)
            .with("user_name", user_name)
            .with("first_name", first)
            .with("last_name", last)
            .with("name", format!("{first} {last}"))
            .with("email", format!("{user_name}@example.com"))
            .with("web_service_access_only", integration)
            .with("internal_integration_user", integration);
        self.plant(row);
        for role in roles {
            self.role(user_name, role);
        }
    }

    fn member(&mut self, user: &str, group: &str) {
        let row = self
            .row("sys_user_grmember", &self.id("member", &format!("{user}/{group}")), -300 * DAY)
            .with("user", self.id("sys_user", user))
            .with("group", self.id("sys_user_group", group));
        self.plant(row);
    }

    fn role(&mut self, user: &str, role: &str) {
        let row = self
            .row("sys_user_has_role", &self.id("role", &format!("{user}/{role}")), -300 * DAY)
            .with("user", self.id("sys_user", user))
            .with("role", self.id("sys_user_role", role));
        self.plant(row);
    }
}
