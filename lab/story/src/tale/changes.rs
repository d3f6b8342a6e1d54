//! The tale of changes, told where a write needs an approved one (the production profile): one that is done, one that somebody
//! rejects, and one that fails on a device and undoes itself. Alice asks, Bob and Ada decide, Sam looks.
//!
//! Next: `change_read` for how an answer about a change becomes lines of the tale.

use std::time::Duration;

use platform::{Error, Json};
use serde_json::{Value, json};

use super::change_read::{devices, expect, history, is_over, seen};
use super::chapters::{Chapters, DEPLOY, SERVER, TEMPLATE, interrupted, short};
use crate::browser::Browser;
use crate::decide::{Decided, Wish, decide};
use crate::platform_client::PlatformClient;

/// The platform's own tools.
const OWN: &str = "interlock";
/// A change that moves no more after so many looks is a tale that went wrong.
const LOOKS: usize = 40;
/// How many switches the tale changes.
const SWITCHES: usize = 6;
/// Longest time of one look, seconds.
const WAIT_S: u64 = 10;

/// Switches and what they are called: a pair for each change, because policy lets a device be asked only so often a minute.
struct Switches {
    template: String,
    ids: Vec<String>,
    names: Vec<String>,
}

impl<'a> Chapters<'a> {
    /// The whole tale.
    pub(super) async fn changes(mut self) -> Result<Vec<super::Told>, Error> {
        let browser = Browser::new()?;
        let http = browser.bare();
        let alice = self.sign_in("alice", "network-engineers", http).await?;
        let switches = self.switches(&alice).await?;
        let vlan = 2000 + self.clock().epoch_seconds().rem_euclid(1900);

        let next = self.by_hand(&alice, &switches, vlan).await?;
        let (done, planned_id) = self.plan(&alice, &switches, vlan, &next).await?;
        self.submit(&alice, &done).await?;
        self.requester_does_not_approve(&done).await?;
        self.approve(&done).await?;
        self.runs(&alice, &switches, &done, vlan).await?;
        self.rejected(&alice, &switches, vlan + 1).await?;
        self.undoes_itself(&alice, &switches, vlan + 2).await?;
        self.sam_looks(http, &done).await?;
        self.audit_tells_changes(&planned_id, &done)?;
        Ok(self.told)
    }

    async fn switches(&mut self, alice: &PlatformClient<'_>) -> Result<Switches, Error> {
        let title = "She looks for a template and for switches";
        self.begin(title);
        let (templates, _) = alice.result(SERVER, "get_all_templates", &json!({})).await?;
        let rows = templates["templates"].as_array().into_iter().flatten();
        let template = rows.clone().find(|t| t["name"] == TEMPLATE).and_then(|t| t["template_id"].as_str());
        let template = template.ok_or_else(|| interrupted(format!("there is no template `{TEMPLATE}`")))?.to_owned();
        // A lab that has just started is still reading its systems.
        for _ in 0..LOOKS {
            if alice.result(OWN, "list_target_sources", &json!({})).await?.0["fit_for_changes"] == true {
                break;
            }
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
        let contradicted = json!({"server": SERVER, "ambiguous": true, "limit": 100});
        let (contradicted, _) = alice.result(OWN, "find_targets", &contradicted).await?;
        let contradicted: Vec<&str> = contradicted["items"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|row| row["known_as"].as_array())
            .flatten()
            .filter_map(|claim| claim["id"].as_str())
            .collect();
        let wanted = json!({"role": "ACCESS", "family": "Switches and Hubs", "reachability": "Reachable", "limit": 50});
        let (devices, _) = alice.result(SERVER, "list_devices", &wanted).await?;
        let fit = |d: &&Json| {
            d["software_type"] == "IOS-XE" && d["id"].as_str().is_some_and(|id| !contradicted.contains(&id))
        };
        let found: Vec<&Json> = devices["items"].as_array().into_iter().flatten().filter(fit).take(SWITCHES).collect();
        if found.len() < SWITCHES {
            return Err(interrupted(format!("there are not {SWITCHES} switches that a change can rest on")));
        }
        let texts =
            |name: &str| found.iter().map(|d| d[name].as_str().unwrap_or_default().to_owned()).collect::<Vec<_>>();
        let switches = Switches { template, ids: texts("id"), names: texts("hostname") };
        let lines = vec![
            format!("template `{TEMPLATE}`, switches {}", switches.names.join(", ")),
            format!("{} devices are left out: two systems contradict each other about them", contradicted.len()),
        ];
        self.tell(
            title,
            lines,
            "Reading needs no more than the role. A change rests only on devices that are known for sure.",
        );
        Ok(switches)
    }

    /// A write without a change; the arguments with which the refusal says that it is planned.
    async fn by_hand(&mut self, alice: &PlatformClient<'_>, at: &Switches, vlan: i64) -> Result<Json, Error> {
        let title = "She deploys by hand, and is refused";
        self.begin(title);
        let arguments = json!({"template_id": at.template, "device_id": at.ids[0], "params": params(vlan)});
        let reply = alice.call(SERVER, DEPLOY, &arguments).await?;
        let next = reply.body["next"]["arguments"].clone();
        let refusal = reply.refusal().filter(|r| r.code == "change_required" && next.is_object());
        let Some(refusal) = refusal else { return Err(reply.unexpected(DEPLOY)) };
        let lines = vec![
            format!("HTTP {} · {} · {}", reply.status, refusal.code, refusal.message),
            format!("next: {} {}", reply.body["next"]["tool"].as_str().unwrap_or_default(), short(&next)),
        ];
        self.tell(
            title,
            lines,
            "No write reaches a device without an approved change. The refusal holds the call that plans one.",
        );
        Ok(next)
    }

    async fn plan(
        &mut self,
        alice: &PlatformClient<'_>,
        at: &Switches,
        vlan: i64,
        next: &Json,
    ) -> Result<(String, String), Error> {
        let title = "She plans the change instead, for both switches";
        self.begin(title);
        let mut arguments = next.clone();
        arguments["device_ids"] = json!(at.ids[..2]);
        let (id, request_id) = self.planned(alice, arguments, &format!("VLAN {vlan} on two switches")).await?;
        let (plan, _) = alice.result(OWN, "get_change_plan", &json!({"change_id": id})).await?;
        let mut lines: Vec<String> = plan["diff"].as_str().unwrap_or_default().lines().map(str::to_owned).collect();
        if !lines.iter().any(|line| line.contains(&format!("vlan {vlan}"))) {
            return Err(interrupted(format!("the plan has no line `vlan {vlan}`")));
        }
        lines.push(format!("plan hash {}", plan["plan_hash"].as_str().unwrap_or_default()));
        self.tell(title, lines, "The platform read the devices live, predicted what will differ, proved the undo on a model and staged it. Nothing has changed.");
        Ok((id, request_id))
    }

    async fn planned(
        &mut self,
        alice: &PlatformClient<'_>,
        mut call: Json,
        title: &str,
    ) -> Result<(String, String), Error> {
        call["title"] = title.into();
        call["reason"] = "The guided tale".into();
        // In a tale nobody waits five minutes for the checks after the last device.
        call["options"] = json!({"soak_s": 0});
        let (view, request_id) = alice.result(OWN, "plan_change", &call).await?;
        let id = view["change_id"].as_str().ok_or_else(|| interrupted("the plan has no id".to_owned()))?.to_owned();
        let view = self.follow(alice, &id, |state| state != "planning").await?;
        expect(&view, "planned")?;
        Ok((id, request_id))
    }

    /// Follows a change until its state is one that is wanted.
    async fn follow(&mut self, who: &PlatformClient<'_>, id: &str, wanted: fn(&str) -> bool) -> Result<Json, Error> {
        let (mut since, mut waited) = (Value::Null, false);
        for _ in 0..LOOKS {
            let mut arguments = json!({"change_id": id, "wait_s": WAIT_S});
            if !since.is_null() {
                arguments["since"] = since;
            }
            let (view, _) = who.result(OWN, "get_change", &arguments).await?;
            let goes_on = view["state"] == "held" && view["status"] == "in_progress";
            if !goes_on && wanted(view["state"].as_str().unwrap_or_default()) {
                return Ok(view);
            }
            if !waited {
                self.listener.waits(view["message"].as_str().unwrap_or("it is under way"));
                waited = true;
            }
            since = view["revision"].clone();
        }
        Err(interrupted(format!("the change {id} does not go on")))
    }

    async fn submitted(&mut self, alice: &PlatformClient<'_>, id: &str) -> Result<Json, Error> {
        let (view, _) = alice.result(OWN, "submit_change", &json!({ "change_id": id })).await?;
        expect(&view, "submitted")?;
        Ok(view)
    }

    async fn submit(&mut self, alice: &PlatformClient<'_>, id: &str) -> Result<(), Error> {
        let title = "She hands it in";
        self.begin(title);
        let view = self.submitted(alice, id).await?;
        let needed = &view["approvers"];
        let lines = vec![
            format!("approvers: {} of {}", needed["count"], short(&needed["groups"])),
            format!("their page: {}", view["url"].as_str().unwrap_or_default()),
        ];
        self.tell(title, lines, "An approval binds this plan's hash and this window. There is no tool that approves.");
        Ok(())
    }

    /// Plays a change's page as somebody.
    async fn decides(&mut self, name: &str, id: &str, approve: bool, reason: &str) -> Result<Decided, Error> {
        let wish = Wish {
            platform: self.ready().url.parse().map_err(Error::internal)?,
            change: id.to_owned(),
            approve,
            reason: reason.to_owned(),
        };
        let (person, clock) = (self.person(name)?, self.clock());
        let told = std::sync::Mutex::new(Vec::new());
        let waits = |why: &str| told.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(why.to_owned());
        let decided = decide(&wish, &person, &*clock, &waits).await;
        for why in told.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner) {
            self.listener.waits(&why);
        }
        decided
    }

    async fn requester_does_not_approve(&mut self, id: &str) -> Result<(), Error> {
        let title = "She tries to approve it herself";
        self.begin(title);
        let refused = match self.decides("alice", id, true, "I know what I do").await {
            Err(error) if error.code() == "approver_is_requester" => error,
            Err(error) => return Err(error),
            Ok(_) => return Err(interrupted("whoever asked for a change approved it".to_owned())),
        };
        let lines = vec![format!("{} · {}", refused.code(), refused.message())];
        self.tell(title, lines, "Two people, always: nobody approves what they asked for, nor what acts for them.");
        Ok(())
    }

    async fn approve(&mut self, id: &str) -> Result<(), Error> {
        let title = "Bob reads it on its page and approves";
        self.begin(title);
        let decided = self.decides("bob", id, true, "One VLAN, and an undo").await?;
        self.tell(
            title,
            seen(&decided),
            "He signed in, saw the plan, and only then gave a new second factor, for exactly this plan.",
        );
        Ok(())
    }

    async fn runs(&mut self, alice: &PlatformClient<'_>, at: &Switches, id: &str, vlan: i64) -> Result<(), Error> {
        let title = "It runs by itself";
        self.begin(title);
        let view = self.follow(alice, id, is_over).await?;
        expect(&view, "done")?;
        let mut lines = history(&view);
        lines.extend(devices(&view));
        let (config, _) = alice.result(SERVER, "get_device_config", &json!({"device_id": at.ids[1]})).await?;
        let line = format!("vlan {vlan}");
        if config["config"].as_str().is_some_and(|text| text.lines().any(|l| l.trim() == line)) {
            lines.push(format!("{} | {line}", at.names[1]));
        }
        self.tell(title, lines, "Locked, compared with the plan once more, one device after another, and each compared with what was predicted.");
        Ok(())
    }

    async fn another(
        &mut self,
        alice: &PlatformClient<'_>,
        at: &Switches,
        first: usize,
        vlan: i64,
    ) -> Result<String, Error> {
        let ids: Vec<&String> = at.ids.iter().skip(first).take(2).collect();
        let call = json!({"server": SERVER, "template_id": at.template, "device_ids": ids, "params": params(vlan)});
        let (id, _) = self.planned(alice, call, &format!("VLAN {vlan} on two switches")).await?;
        self.submitted(alice, &id).await?;
        Ok(id)
    }

    async fn rejected(&mut self, alice: &PlatformClient<'_>, at: &Switches, vlan: i64) -> Result<(), Error> {
        let title = "Ada rejects the next one";
        self.begin(title);
        let id = self.another(alice, at, 2, vlan).await?;
        let decided = self.decides("ada", &id, false, "Not before the holidays").await?;
        let view = self.follow(alice, &id, is_over).await?;
        expect(&view, "rejected")?;
        let mut lines = vec![decided.said.clone()];
        lines.extend(view["approvals"].as_array().into_iter().flatten().map(|a| {
            let text = |name: &str| a[name].as_str().unwrap_or_default();
            format!("{}: {} · {}", text("by"), text("verdict"), text("reason"))
        }));
        self.tell(title, lines, "A rejected change is over. Its reason stands with it; nothing was sent to a device.");
        Ok(())
    }

    async fn undoes_itself(&mut self, alice: &PlatformClient<'_>, at: &Switches, vlan: i64) -> Result<(), Error> {
        let title = "A third one fails on a device, and undoes itself";
        self.begin(title);
        let id = self.another(alice, at, 4, vlan).await?;
        let (plan, _) = alice.result(OWN, "get_change_plan", &json!({"change_id": id, "view": "plan"})).await?;
        let last = plan["plan"]["order"].as_array().and_then(|batches| batches.last()?.as_array()?.last().cloned());
        let last = last.ok_or_else(|| interrupted("the plan has no order".to_owned()))?;
        self.fault(&last, &json!({"kind": "line_rejected", "line": 1})).await?;
        self.decides("bob", &id, true, "Like the first one").await?;
        let view = self.follow(alice, &id, is_over).await?;
        expect(&view, "undone")?;
        let mut lines =
            vec!["the second switch refuses a line, and Catalyst Center reports a success all the same".to_owned()];
        lines.extend(history(&view));
        lines.extend(devices(&view));
        let trouble = &view["trouble"];
        let text = |name: &str| trouble[name].as_str().unwrap_or_default();
        lines.push(format!("{} · {}", text("code"), text("message")));
        self.tell(title, lines, "A success is believed only when the device's own configuration says so. The undo was part of what was approved.");
        Ok(())
    }

    /// Arms the simulated controller: the next deployment to this device goes wrong.
    async fn fault(&self, device: &Json, fault: &Json) -> Result<(), Error> {
        let admin = &self.ready().lab_admin;
        let browser = Browser::new()?;
        let path = "/v2/template-programmer/template/deploy";
        let body = json!({"system": SERVER, "match": {"path": path, "device": device}, "fault": fault, "times": 1});
        let request = browser.bare().post(format!("{}/faults", admin.url)).bearer_auth(&admin.token).json(&body);
        let answer = request.send().await.map_err(Error::internal)?;
        match answer.status().is_success() {
            true => Ok(()),
            false => Err(interrupted(format!("the lab's admin door answered {}", answer.status()))),
        }
    }

    async fn sam_looks(&mut self, http: &reqwest::Client, id: &str) -> Result<(), Error> {
        let title = "Sam of the service desk does not see it";
        self.begin(title);
        let token = self.token("sam").await?;
        let sam = PlatformClient { http, base: &self.ready().url, token };
        let reply = sam.call(OWN, "get_change", &json!({ "change_id": id })).await?;
        let Some(refusal) = reply.refusal().filter(|r| r.code == "change_unknown") else {
            return Err(reply.unexpected("get_change"));
        };
        let lines = vec![format!("HTTP {} · {} · {}", reply.status, refusal.code, refusal.message)];
        self.tell(
            title,
            lines,
            "A change is for those who asked for it, may approve it, may change that server, or audit.",
        );
        Ok(())
    }

    fn audit_tells_changes(&mut self, planned: &str, done: &str) -> Result<(), Error> {
        let title = "The audit tells all of it";
        self.begin(title);
        let mut lines = self.recorded(planned)?;
        lines.push(self.whole()?);
        lines.push(format!("all of one change: interlock change show {done}"));
        self.tell(
            title,
            lines,
            "Each call of the run is on record too, in Alice's name and with the change that covered it.",
        );
        Ok(())
    }
}

fn params(vlan: i64) -> Json {
    json!({"vlan_id": vlan, "vlan_name": format!("STORY-{vlan}")})
}
