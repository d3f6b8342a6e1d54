//! Changes as people and programs make them, over HTTP: planned and handed in by one person, decided by another on the page,
//! followed to their end. What became of the devices is asked of the simulated network, never of the platform.

use std::net::{Ipv4Addr, TcpListener};
use std::sync::Arc;
use std::time::{Duration, Instant};

use platform::{Clock as _, Json};
use serde_json::json;
use tempfile::TempDir;

use crate::caller::{Answer, CENTER, Caller, OWN};
use crate::lab::{Lab, Launch};

/// A machine that also compiles is slow.
const PATIENCE: Duration = Duration::from_secs(240);
/// How the lab's clock is moved while a change stands still.
#[derive(Clone, Copy)]
pub(crate) struct Pace {
    /// How long it may stand still before.
    pub(crate) still: Duration,
    /// How far the clock is moved then, seconds: less than a lock is held for.
    pub(crate) step_s: i64,
}

impl Default for Pace {
    fn default() -> Self {
        Self { still: Duration::from_millis(1_500), step_s: 30 }
    }
}

/// An authenticator shows the next code after this many seconds.
const NEXT_CODE_S: i64 = 31;
/// States that nothing follows.
pub(crate) const ENDS: [&str; 9] =
    ["plan_failed", "rejected", "voided", "done", "undone", "undo_failed", "stale", "cancelled", "expired"];

/// A lab under the production profile, with somebody who wants changes.
pub(crate) struct Desk {
    pub(crate) caller: Caller,
    /// Ids of switches on which a change can rest.
    pub(crate) switches: Vec<String>,
    /// The template `access-vlan`.
    pub(crate) template: String,
    pub(crate) pace: Pace,
}

/// One wish: a VLAN on switches. Unlike in production nobody waits five minutes for checks after the last device.
#[derive(Clone)]
pub(crate) struct Wish {
    pub(crate) arguments: Json,
    /// Number of the VLAN.
    pub(crate) vlan: u32,
    /// Its name, by which its lines are known at a device.
    pub(crate) name: String,
}

impl Wish {
    /// The same with another option.
    pub(crate) fn with(mut self, option: &str, value: Json) -> Self {
        self.arguments["options"][option] = value;
        self
    }
}

/// How a lab for changes is started: the same address each time, so that tokens stay what they are.
pub(crate) fn launch(devices: &str) -> Launch {
    let mut launch = Launch::under("production");
    launch.listen = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap();
    launch.more = vec!["--devices".to_owned(), devices.to_owned()];
    launch
}

impl Desk {
    /// A lab of its own.
    pub(crate) async fn open() -> Self {
        Self::over(Lab::start_as(TempDir::new().unwrap(), launch("60"))).await
    }

    /// Over a lab.
    pub(crate) async fn over(lab: Lab) -> Self {
        let caller = Caller::new(Arc::new(lab));
        let alice = caller.lab.token("alice").await;
        let switches = caller.changeable_switches(&alice, CENTER).await;
        assert!(switches.len() >= 6, "{} switches", switches.len());
        let deployment = caller.deployment(&alice, CENTER, &switches[0], 2).await;
        let template = deployment["template_id"].as_str().unwrap().to_owned();
        Self { caller, switches, template, pace: Pace::default() }
    }

    /// The lab, for what only its one owner may do.
    pub(crate) fn lab(&mut self) -> &mut Lab {
        Arc::get_mut(&mut self.caller.lab).expect("somebody else holds the lab")
    }

    /// A VLAN on these switches, one device after another.
    pub(crate) fn wish(&self, devices: &[String], vlan: u32) -> Wish {
        let name = format!("CHANGE{vlan}");
        let arguments = json!({
            "server": CENTER, "template_id": self.template, "device_ids": devices,
            "params": {"vlan_id": vlan, "vlan_name": name},
            "title": format!("VLAN {vlan} on {} switches", devices.len()), "reason": "A test of changes",
            "options": {"batches": [1], "soak_s": 0, "save_startup": "never"},
        });
        Wish { arguments, vlan, name }
    }

    /// A tool of the platform's own, as a person; signs in again when the token is over.
    pub(crate) async fn own(&self, user: &str, tool: &str, arguments: &Json) -> Answer {
        let token = self.caller.lab.token(user).await;
        let answer = self.caller.rest(&token, OWN, tool, arguments).await;
        if answer.status != 401 {
            return answer;
        }
        self.caller.lab.forget_tokens().await;
        let token = self.caller.lab.token(user).await;
        self.caller.rest(&token, OWN, tool, arguments).await
    }

    /// Plans it as alice; its id once the plan stands.
    pub(crate) async fn planned(&self, wish: &Wish) -> String {
        let asked = self.own("alice", "plan_change", &wish.arguments).await;
        let id = asked.result()["change_id"].as_str().unwrap_or_else(|| panic!("{asked:?}")).to_owned();
        let view = self.reaches(&id, &["planned", "plan_failed"]).await;
        assert_eq!(view["state"], "planned", "{view}");
        id
    }

    /// Plans it and hands it in, to be run within a day, not before so many seconds from now.
    pub(crate) async fn submitted(&self, wish: &Wish, not_before_s: u64) -> String {
        let id = self.planned(wish).await;
        self.submit(&id, not_before_s).await;
        id
    }

    /// Hands a plan in as alice.
    pub(crate) async fn submit(&self, id: &str, not_before_s: u64) {
        let now = self.caller.lab.clock().now();
        let after = |seconds: u64| (now + Duration::from_secs(seconds)).to_string();
        let mut arguments = json!({"change_id": id, "not_after": after(not_before_s + 86_400)});
        if not_before_s > 0 {
            arguments["not_before"] = after(not_before_s).into();
        }
        let submitted = self.own("alice", "submit_change", &arguments).await;
        assert_eq!(submitted.result()["state"], "submitted", "{submitted:?}");
    }

    /// Plans it, hands it in, and has bob approve it on its page.
    pub(crate) async fn approved(&self, wish: &Wish, not_before_s: u64) -> String {
        let id = self.submitted(wish, not_before_s).await;
        let decided = self.decides("bob", "approve", &id).await;
        assert_eq!(decided, Ok(()), "bob approves {id}");
        id
    }

    /// Plays the page of a change as this person; the code of its refusal.
    pub(crate) async fn decides(&self, user: &str, verdict: &str, id: &str) -> Result<(), String> {
        // An authenticator's code is good for one use; nobody waits for the next.
        self.caller.lab.advance(&self.caller.http, NEXT_CODE_S).await;
        let out = self.caller.lab.run(&["lab", verdict, "--json", "--user", user, id, "--reason", "Read, and decided"]);
        if out.status.success() {
            return Ok(());
        }
        let said: Json = serde_json::from_slice(&out.stdout).unwrap_or_default();
        let code = said.pointer("/error/code").and_then(Json::as_str).map(str::to_owned);
        Err(code.unwrap_or_else(|| String::from_utf8_lossy(&[out.stdout, out.stderr].concat()).into_owned()))
    }

    /// The change as alice sees it.
    pub(crate) async fn view(&self, id: &str) -> Json {
        self.own("alice", "get_change", &json!({ "change_id": id })).await.result().clone()
    }

    /// Waits, by the machine's time alone, until the change is in one of these states.
    pub(crate) async fn reaches(&self, id: &str, states: &[&str]) -> Json {
        self.follow(id, states, false).await
    }

    /// The same, and the lab's clock is moved while nothing happens: for what waits minutes or days.
    pub(crate) async fn reaches_by_the_clock(&self, id: &str, states: &[&str]) -> Json {
        self.follow(id, states, true).await
    }

    async fn follow(&self, id: &str, states: &[&str], moving: bool) -> Json {
        let (began, mut seen, mut since) = (Instant::now(), Json::Null, Instant::now());
        loop {
            let view = self.view(id).await;
            let state = view["state"].as_str().unwrap_or_else(|| panic!("{view}"));
            if states.contains(&state) {
                return view;
            }
            assert!(!ENDS.contains(&state), "it ended elsewhere: {}", told(&view));
            assert!(began.elapsed() < PATIENCE, "it never becomes {states:?}: {}", told(&view));
            if seen != view["revision"] {
                (seen, since) = (view["revision"].clone(), Instant::now());
            } else if moving && since.elapsed() > self.pace.still {
                self.caller.lab.advance(&self.caller.http, self.pace.step_s).await;
                since = Instant::now();
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Waits until the change has ended, however long that takes by the lab's clock.
    pub(crate) async fn ends(&self, id: &str) -> Json {
        self.reaches_by_the_clock(id, &ENDS).await
    }

    /// How a person settles a parked change, with a second factor for exactly that.
    pub(crate) async fn settles(&self, user: &str, id: &str, outcome: &str) -> Answer {
        let arguments = json!({"change_id": id, "outcome": outcome, "reason": "Seen at the device's console"});
        let refused = self.own(user, "settle_change", &arguments).await;
        assert_eq!(refused.code(), Some("step_up_required"), "{refused:?}");
        self.caller.lab.advance(&self.caller.http, NEXT_CODE_S).await;
        self.caller.lab.pass_second_factor(refused.link(), user).await.unwrap();
        self.own(user, "settle_change", &arguments).await
    }

    /// Lets the next requests that match meet a fault, so many times.
    pub(crate) async fn fault(&self, matching: Json, fault: Json, times: u32) -> u64 {
        let body = json!({"system": CENTER, "match": matching, "fault": fault, "times": times});
        let faults = self.caller.lab.admin(&self.caller.http, "/faults", Some(body)).await;
        faults["id"].as_u64().unwrap()
    }

    /// How often an injected fault was met.
    pub(crate) async fn met(&self, fault: u64) -> u64 {
        let all = self.caller.lab.admin(&self.caller.http, "/faults", None).await;
        let rows = all["faults"].as_array().unwrap();
        rows.iter().find(|row| row["id"] == fault).and_then(|row| row["used"].as_u64()).unwrap_or(0)
    }

    /// What deployments entered at a device since a row of the record, one list of lines each.
    pub(crate) async fn entered(&self, device: &str, after: u64) -> Vec<Vec<String>> {
        let path = format!("/device-commands?after={after}");
        let all = self.caller.lab.admin(&self.caller.http, &path, None).await;
        let rows = all["commands"].as_array().unwrap().iter();
        let of_it = rows.filter(|row| row["device_id"] == device && row["via"] == "template_deploy");
        let lines = |row: &Json| {
            let lines = row["lines"].as_array().into_iter().flatten();
            lines.filter_map(Json::as_str).map(|line| line.trim().to_owned()).collect()
        };
        of_it.map(lines).collect()
    }

    /// How often the VLAN of a wish was entered at a device, and how often it was taken away.
    pub(crate) async fn times(&self, device: &str, wish: &Wish) -> (usize, usize) {
        let (there, back) = (format!("vlan {}", wish.vlan), format!("no vlan {}", wish.vlan));
        let entered = self.entered(device, 0).await;
        let holding = |line: &String| entered.iter().filter(|lines| lines.contains(line)).count();
        (holding(&there), holding(&back))
    }

    /// What a person does at a device's console: lines of configuration.
    pub(crate) async fn by_hand(&self, device: &str, lines: &[&str]) {
        let body = json!({"system": CENTER, "device": device, "lines": lines});
        self.caller.lab.admin(&self.caller.http, "/network/console", Some(body)).await;
    }

    /// The device's own running configuration, read at its console.
    pub(crate) async fn running(&self, device: &str) -> String {
        let body = json!({"system": CENTER, "device": device, "command": "show running-config"});
        let answer = self.caller.lab.admin(&self.caller.http, "/network/console", Some(body)).await;
        answer["output"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned()
    }

    /// Whether the VLAN of a wish stands in the device's running configuration.
    pub(crate) async fn has(&self, device: &str, wish: &Wish) -> bool {
        let line = format!("vlan {}", wish.vlan);
        self.running(device).await.lines().any(|have| have.trim() == line)
    }

    /// The audit records of a change's decisions and steps.
    pub(crate) fn audited(&self, id: &str) -> Vec<Json> {
        self.caller.lab.audit().into_iter().filter(|record| record.to_string().contains(id)).collect()
    }
}

/// A change in short, for a finding.
pub(crate) fn told(view: &Json) -> String {
    let history: Vec<String> = view["history"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|step| {
            format!("{}: {}", step["to"].as_str().unwrap_or_default(), step["why"].as_str().unwrap_or_default())
        })
        .collect();
    format!("{} {}\n  {}\n  {}", view["change_id"], view["state"], history.join("\n  "), view["trouble"])
}

/// The code of what troubles a change.
pub(crate) fn trouble(view: &Json) -> &str {
    view.pointer("/trouble/code").and_then(Json::as_str).unwrap_or_default()
}

/// The view of one device of a change.
pub(crate) fn device<'v>(view: &'v Json, id: &str) -> &'v Json {
    let mut devices = view["devices"].as_array().into_iter().flatten();
    devices.find(|device| device["device_id"] == id).unwrap_or_else(|| panic!("{id} is no device of {}", told(view)))
}

/// What came of one of its checks.
pub(crate) fn check<'v>(device: &'v Json, name: &str, direction: &str) -> &'v str {
    let mut checks = device["checks"].as_array().into_iter().flatten().rev();
    let of_it = checks.find(|check| check["name"] == name && check["direction"] == direction);
    of_it.and_then(|check| check["result"].as_str()).unwrap_or("missing")
}
