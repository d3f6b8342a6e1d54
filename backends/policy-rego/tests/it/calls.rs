//! Inputs that the tests share: a call with every fact in its place, and what can be proven on top of it.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use platform::policy::{
    Action, ChangeFacts, DecisionInput, ElevationFacts, PrincipalFacts, Profile, Risk, ServerFacts, ToolFacts,
};
use platform::principal::{Actor, PrincipalKind, TokenProof};
use policy_rego::RegoEngine;
use serde_json::json;

/// The clock of every call here.
pub(crate) const NOW: i64 = 1_800_000_000;

static LAB_OPEN: LazyLock<RegoEngine> = LazyLock::new(|| RegoEngine::embedded(Profile::LabOpen).unwrap());
static PRODUCTION: LazyLock<RegoEngine> = LazyLock::new(|| RegoEngine::embedded(Profile::Production).unwrap());

/// The shipped policy; shared, because its gate takes most of a test's time.
pub(crate) fn shipped(profile: Profile) -> &'static RegoEngine {
    match profile {
        Profile::LabOpen => &LAB_OPEN,
        Profile::Production => &PRODUCTION,
    }
}

/// A person's call with nothing proven.
pub(crate) fn call(groups: &[&str], connector: &str, tool: &str, risk: Risk) -> DecisionInput {
    DecisionInput {
        groups: groups.iter().map(|&group| group.to_owned()).collect(),
        resource: connector.to_owned(),
        action: risk.action(),
        principal: PrincipalFacts {
            issuer: "https://issuer.example".to_owned(),
            subject: "alice".to_owned(),
            person: "alice".to_owned(),
            kind: PrincipalKind::Person,
            client_id: "cli".to_owned(),
            acr: None,
            amr: vec!["pwd".to_owned()],
            auth_time: Some(NOW - 5000),
            mfa: false,
            act: vec![],
            proof: TokenProof::Signature,
        },
        server: ServerFacts {
            name: format!("{connector}-1"),
            connector: connector.to_owned(),
            environment: "test".to_owned(),
        },
        tool: ToolFacts { name: tool.to_owned(), risk },
        arguments: json!({}),
        targets: vec![],
        change: None,
        elevation: None,
        now: NOW,
        source: "192.0.2.1".to_owned(),
        protocol: "mcp".to_owned(),
        request_id: "r".to_owned(),
    }
}

/// A fresh single-use elevation.
pub(crate) fn elevation() -> ElevationFacts {
    ElevationFacts { authenticated_at: NOW - 30, expires_at: NOW + 600, single_use: true }
}

/// A verified change grant.
pub(crate) fn grant(approvers: u32) -> ChangeFacts {
    ChangeFacts {
        id: "CHG-1".to_owned(),
        expires_at: NOW + 3600,
        approvers,
        approver_groups: vec![vec!["network-engineers".to_owned()]; approvers as usize],
        run: false,
        proven_approvers: 0,
    }
}

/// An agent.
pub(crate) fn agent() -> Actor {
    Actor { subject: "agent".to_owned(), issuer: None }
}

/// Numbers without a seed from outside, so that a failure repeats.
pub(crate) struct Dice(u64);

impl Dice {
    /// The same dice every time.
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A number below `n` (xorshift64*).
    pub(crate) fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) as usize % n
    }

    /// One of the items.
    pub(crate) fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.below(items.len())]
    }

    /// True once in `n` times.
    pub(crate) fn once_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    /// A well-typed call: every group, connector, risk and fact that policy reads takes several values.
    pub(crate) fn call(&mut self) -> DecisionInput {
        let names =
            ["admin", "admin", "network-engineers", "network-engineers", "service-desk", "developers", "Admin", ""];
        let connectors =
            ["catalyst-center", "catalyst-center", "servicenow", "github", "rest-api-proxy", "interlock", "vault", ""];
        let groups: Vec<&str> = (0..1 + self.below(3)).map(|_| *self.pick(&names)).collect();
        let mut input = call(&groups, self.pick::<&str>(&connectors), "tool", *self.pick(&Risk::ALL));
        let p = &mut input.principal;
        p.kind = *self.pick(&[PrincipalKind::Person, PrincipalKind::Person, PrincipalKind::Client]);
        p.mfa = self.once_in(2);
        p.auth_time = *self.pick(&[
            None,
            Some(NOW - 10),
            Some(NOW - 10),
            Some(NOW - 899),
            Some(NOW - 900),
            Some(NOW + 60),
            Some(NOW + 61),
        ]);
        if self.once_in(3) {
            p.act = vec![agent()];
        }
        p.proof = *self.pick(&[
            TokenProof::Signature,
            TokenProof::Signature,
            TokenProof::Introspection,
            TokenProof::Userinfo,
        ]);
        if !self.once_in(3) {
            let authenticated_at = NOW + *self.pick(&[-1000, -30, -30, 0, 61]);
            let expires_at = NOW + *self.pick(&[-1, 0, 1, 600, 600, 9000]);
            input.elevation = Some(ElevationFacts { authenticated_at, expires_at, single_use: self.once_in(2) });
        }
        if !self.once_in(3) {
            let expires_at = NOW + *self.pick(&[-1, 0, 1, 600, 600]);
            let approvers = *self.pick(&[0, 1, 2, 3, 3]);
            input.change = Some(ChangeFacts {
                id: self.pick(&["CHG-1", "CHG-1", "CHG-1", ""]).to_string(),
                expires_at,
                approvers,
                approver_groups: (0..*self.pick(&[0, 1, 2, 3]))
                    .map(|_| vec![self.pick(&["network-engineers", "admin", "auditors"]).to_string()])
                    .collect(),
                run: self.once_in(2),
                proven_approvers: *self.pick(&[0, 1, 2, 2]),
            });
        }
        if self.once_in(8) {
            input.action = *self.pick(&[Action::Read, Action::Write, Action::Execute, Action::Admin]);
        }
        if self.once_in(16) {
            input.server.connector = self.pick(&connectors).to_string();
        }
        input
    }

    /// Any JSON, at most `depth` deep, with the names that policy reads among the members.
    pub(crate) fn json(&mut self, depth: usize) -> serde_json::Value {
        let names = [
            "groups",
            "resource",
            "action",
            "principal",
            "server",
            "tool",
            "risk",
            "name",
            "kind",
            "act",
            "now",
            "change",
            "elevation",
            "mfa",
            "x",
        ];
        match self.below(if depth == 0 { 6 } else { 9 }) {
            0 => json!(null),
            1 => json!(self.once_in(2)),
            2 => json!(NOW),
            3 => json!(self.below(1000) as f64 / 7.0 - 50.0),
            4 => json!(*self.pick(&["admin", "", "read", "catalyst-center", "person", "\u{0}\u{202e}ü"])),
            5 => json!(i64::MIN + self.below(9) as i64),
            6 => json!((0..self.below(4)).map(|_| self.json(depth - 1)).collect::<Vec<_>>()),
            _ => {
                let members: BTreeMap<&str, serde_json::Value> =
                    (0..self.below(6)).map(|_| (*self.pick(&names), self.json(depth - 1))).collect();
                json!(members)
            }
        }
    }
}
