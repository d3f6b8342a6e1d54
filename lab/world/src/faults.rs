//! Faults on demand: what a test or a person asks the lab to do wrong, and who consumes it.
//!
//! A fault belongs to a system (`catalyst-center`), matches requests, and is used up after `times` uses. Faults of the
//! wire (latency, 429, 5xx, hang, garbage, truncation, expired token, lost reply) are applied by [`crate::wire`]; faults
//! of the effect (accepted but not applied, half applied, line rejected, management lost, stale copy, hidden task) by the
//! simulator that carries the effect out.
//!
//! Where next: [`crate::admin`], the door through which they come.

use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};

/// What goes wrong. JSON: the name alone, or an object `{"kind": …}` with the parameters below.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Fault {
    /// The answer comes late.
    Latency {
        /// Milliseconds of real time.
        #[serde(default = "default_latency")]
        ms: u64,
        /// The action is done before the wait, and only its answer is held back; else all of it is late.
        #[serde(default)]
        done: bool,
    },
    /// HTTP 429, with a `Retry-After` where given.
    #[serde(alias = "429", alias = "too_many_requests")]
    RateLimited {
        /// Seconds.
        #[serde(default)]
        retry_after_s: Option<u64>,
    },
    /// HTTP 5xx instead of the action.
    #[serde(alias = "5xx")]
    ServerError {
        /// 500 to 599.
        #[serde(default = "default_status")]
        status: u16,
    },
    /// Nothing is done and nothing answered for a long time; then the connection closes.
    Hang {
        /// Milliseconds of real time.
        #[serde(default = "default_hang")]
        ms: u64,
    },
    /// The action is done; the body is a web page instead of JSON, with status 200.
    Garbage,
    /// Nothing is done: the system sleeps and answers a page for people, with status 200.
    Hibernating,
    /// The action is done; the body ends in its middle and the connection closes.
    Truncation,
    /// HTTP 401, and the token that was sent is dead from now on.
    ExpiredToken,
    /// The action is done; the connection closes without an answer.
    ReplyLost,
    /// A deployment reports success, and nothing has reached the device.
    AcceptedNotApplied,
    /// A deployment reports success, and only the first half of the lines has reached the device.
    HalfApplied,
    /// A deployment reports success, and the device has refused one line.
    LineRejected {
        /// Which line, from 0.
        #[serde(default)]
        line: usize,
    },
    /// After the action the controller does not reach the device any more.
    ManagementLost,
    /// The controller does not read the device after the action: its copy stays old.
    StaleCopy,
    /// The task that the action starts is not to be found afterwards.
    TaskHidden,
}

fn default_latency() -> u64 {
    2_000
}
fn default_status() -> u16 {
    503
}
fn default_hang() -> u64 {
    600_000
}

impl Fault {
    /// Reads a name or an object.
    ///
    /// # Errors
    /// A sentence that names the unknown kind.
    pub fn from_json(value: &serde_json::Value) -> Result<Self, String> {
        let object = match value {
            serde_json::Value::String(name) if name == "429_retry_after" => {
                serde_json::json!({"kind": "rate_limited", "retry_after_s": 1})
            }
            serde_json::Value::String(name) => serde_json::json!({ "kind": name }),
            other => other.clone(),
        };
        serde_json::from_value(object).map_err(|error| error.to_string())
    }

    /// Whether [`crate::wire`] applies it; otherwise the simulator does.
    pub fn is_of_the_wire(self) -> bool {
        !matches!(
            self,
            Self::AcceptedNotApplied
                | Self::HalfApplied
                | Self::LineRejected { .. }
                | Self::ManagementLost
                | Self::StaleCopy
                | Self::TaskHidden
        )
    }
}

/// Which requests a fault meets. A text is a part of `METHOD /path`; every given field must match.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Match {
    /// Part of `METHOD /path`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<String>,
    /// The method, exactly.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// Part of the path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Id, serial number, host name or address of a device. For faults of the wire it must stand in the path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
}

/// What a fault is asked about.
#[derive(Debug, Clone, Copy)]
pub struct Occasion<'a> {
    /// The simulator's instance.
    pub system: &'a str,
    /// HTTP method of the request that causes the action.
    pub method: &'a str,
    /// Its path.
    pub path: &'a str,
    /// Names of the device, when an effect is carried out.
    pub device: &'a [String],
}

impl Match {
    fn meets(&self, occasion: Occasion<'_>, wire: bool) -> bool {
        let request = format!("{} {}", occasion.method, occasion.path);
        self.request.as_ref().is_none_or(|part| request.contains(part.as_str()))
            && self.method.as_ref().is_none_or(|method| method.eq_ignore_ascii_case(occasion.method))
            && self.path.as_ref().is_none_or(|part| occasion.path.contains(part.as_str()))
            && self.device.as_ref().is_none_or(|device| {
                if wire { occasion.path.contains(device.as_str()) } else { occasion.device.contains(device) }
            })
    }
}

/// One injected fault.
#[derive(Debug, Clone, Serialize)]
pub struct Injected {
    /// Number of the injection, for people.
    pub id: u64,
    /// Instance that it belongs to.
    pub system: String,
    /// Requests that it meets.
    #[serde(rename = "match")]
    pub matching: Match,
    /// What goes wrong.
    pub fault: Fault,
    /// Uses left.
    pub left: u32,
    /// Uses so far.
    pub used: u32,
}

/// All faults of the lab.
#[derive(Debug, Default)]
pub struct Faults {
    list: Mutex<(u64, Vec<Injected>)>,
}

impl Faults {
    /// Adds a fault for `times` uses. `times` 0 removes every fault of the system with the same match and kind (an empty
    /// match removes all kinds). Returns the number of the injection.
    pub fn inject(&self, system: &str, matching: Match, fault: Option<Fault>, times: u32) -> u64 {
        let mut list = self.list.lock().unwrap_or_else(PoisonError::into_inner);
        if times == 0 {
            list.1.retain(|held| {
                let same_fault =
                    fault.is_none_or(|fault| std::mem::discriminant(&fault) == std::mem::discriminant(&held.fault));
                let same_match = matching == Match::default() || matching == held.matching;
                !(held.system == system && same_fault && same_match)
            });
            return 0;
        }
        let Some(fault) = fault else { return 0 };
        list.0 += 1;
        let id = list.0;
        list.1.push(Injected { id, system: system.to_owned(), matching, fault, left: times, used: 0 });
        id
    }

    /// What is injected and not used up, and what was used.
    pub fn list(&self) -> Vec<Injected> {
        self.list.lock().unwrap_or_else(PoisonError::into_inner).1.clone()
    }

    /// Uses up the first fault of the wire that meets the request.
    pub fn take_wire(&self, occasion: Occasion<'_>) -> Option<Fault> {
        self.take(occasion, true, |_| true)
    }

    /// Uses up every fault of the effect that meets the action on a device and that `wanted` names.
    pub fn take_effects(&self, occasion: Occasion<'_>, wanted: fn(Fault) -> bool) -> Vec<Fault> {
        let mut taken = Vec::new();
        while let Some(fault) = self.take(occasion, false, |fault| wanted(fault) && !taken.contains(&fault)) {
            taken.push(fault);
        }
        taken
    }

    fn take(&self, occasion: Occasion<'_>, wire: bool, wanted: impl Fn(Fault) -> bool) -> Option<Fault> {
        let mut list = self.list.lock().unwrap_or_else(PoisonError::into_inner);
        let held = list.1.iter_mut().find(|held| {
            held.left > 0
                && held.system == occasion.system
                && held.fault.is_of_the_wire() == wire
                && wanted(held.fault)
                && held.matching.meets(occasion, wire)
        })?;
        held.left -= 1;
        held.used += 1;
        Some(held.fault)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Fault, Faults, Match, Occasion};

    const ASK: Occasion<'static> = Occasion { system: "a", method: "GET", path: "/x/devices", device: &[] };

    #[test]
    fn a_fault_is_used_up_and_meets_its_system_only() {
        let faults = Faults::default();
        let part = Match { request: Some("GET /x".to_owned()), ..Match::default() };
        faults.inject("a", part, Some(Fault::Garbage), 2);
        assert_eq!(faults.take_wire(Occasion { system: "b", ..ASK }), None);
        assert_eq!(faults.take_wire(Occasion { method: "POST", ..ASK }), None);
        assert_eq!(faults.take_wire(ASK), Some(Fault::Garbage));
        assert_eq!(faults.take_wire(ASK), Some(Fault::Garbage));
        assert_eq!(faults.take_wire(ASK), None);
    }

    #[test]
    fn names_and_objects_are_read_and_unknown_kinds_refused() {
        assert_eq!(Fault::from_json(&json!("reply_lost")), Ok(Fault::ReplyLost));
        assert_eq!(Fault::from_json(&json!("429")), Ok(Fault::RateLimited { retry_after_s: None }));
        let late = Fault::from_json(&json!({"kind": "rate_limited", "retry_after_s": 7}));
        assert_eq!(late, Ok(Fault::RateLimited { retry_after_s: Some(7) }));
        let held = Fault::from_json(&json!({"kind": "latency", "ms": 5, "done": true}));
        assert_eq!(held, Ok(Fault::Latency { ms: 5, done: true }));
        assert!(Fault::from_json(&json!("explode")).is_err());
    }

    #[test]
    fn times_zero_clears() {
        let faults = Faults::default();
        faults.inject("a", Match::default(), Some(Fault::Garbage), 5);
        faults.inject("a", Match::default(), None, 0);
        assert_eq!(faults.take_wire(ASK), None);
    }
}
