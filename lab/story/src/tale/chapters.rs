//! The steps of the tale of a second factor, in order, and what every tale is told with.

use std::time::Duration;

use platform::error::Refusal;
use platform::{Error, ErrorKind, Json, Secret, SharedClock};
use serde_json::json;
use url::Url;

use super::{Listener, Tale, Told};
use crate::browser::Browser;
use crate::people::LAB_CLIENT;
use crate::platform_client::PlatformClient;
use crate::ready::Ready;
use crate::sign_in::{Person, SignInOptions, access_token, pass_second_factor};

/// The server of the tale.
pub(super) const SERVER: &str = "catalyst-center";
/// The template of the tale.
pub(super) const TEMPLATE: &str = "access-vlan";
pub(super) const DEPLOY: &str = "deploy_template";

pub(super) struct Chapters<'a> {
    tale: &'a Tale<'a>,
    pub(super) listener: &'a mut dyn Listener,
    pub(super) told: Vec<Told>,
}

/// The deployment that the tale is about.
struct Plan {
    device_id: String,
    hostname: String,
    arguments: Json,
    vlan_line: String,
}

impl<'a> Chapters<'a> {
    pub(super) fn new(tale: &'a Tale<'a>, listener: &'a mut dyn Listener) -> Self {
        Self { tale, listener, told: Vec::new() }
    }

    pub(super) async fn all(mut self) -> Result<Vec<Told>, Error> {
        let browser = Browser::new()?;
        let http = browser.bare();

        let alice = self.sign_in("alice", "network-engineers", http).await?;
        let plan = self.look_around(&alice).await?;
        self.preview(&alice, &plan).await?;
        let (refusal, refused_id) = self.refused(&alice, &plan).await?;
        self.second_factor(&refusal).await?;
        let deployed_id = self.deploy(&alice, &plan).await?;
        self.device_shows_it(&alice, &plan).await?;
        self.service_desk_never_sees_it(&alice, http).await?;
        self.audit_tells_it(&refused_id, &deployed_id)?;
        Ok(self.told)
    }

    pub(super) fn begin(&mut self, title: &str) {
        self.listener.begins(title);
    }

    pub(super) fn tell(&mut self, title: &str, lines: Vec<String>, shows: &str) {
        let told = Told { step: self.told.len() + 1, title: title.to_owned(), lines, shows: shows.to_owned() };
        self.listener.told(&told);
        self.told.push(told);
    }

    pub(super) fn ready(&self) -> &'a Ready {
        self.tale.ready
    }

    pub(super) fn clock(&self) -> SharedClock {
        self.tale.clock.clone()
    }

    pub(super) fn person(&self, name: &str) -> Result<Person, Error> {
        Ok(self.tale.ready.user(name)?.into())
    }

    pub(super) async fn token(&self, name: &str) -> Result<Secret, Error> {
        let ready = self.tale.ready;
        let options = SignInOptions {
            issuer: ready.issuer.clone(),
            client_id: LAB_CLIENT.to_owned(),
            audience: ready.url.clone(),
            mfa: false,
        };
        let person = self.person(name)?;
        Ok(access_token(&options, &person, &*self.tale.clock, &|_| {}).await?.token)
    }

    pub(super) async fn sign_in<'c>(
        &mut self,
        name: &str,
        group: &str,
        http: &'c reqwest::Client,
    ) -> Result<PlatformClient<'c>, Error>
    where
        'a: 'c,
    {
        let title = "Alice signs in with her password";
        self.begin(title);
        let token = self.token(name).await?;
        let client = PlatformClient { http, base: &self.tale.ready.url, token };
        let (who, _) = client.result("interlock", "whoami", &json!({})).await?;
        let lines = vec![
            format!(
                "{} → authorization code with PKCE → access token for {}",
                self.tale.ready.issuer, self.tale.ready.url
            ),
            format!("`whoami` on `interlock`: {}", short(&who)),
        ];
        let shows = format!(
            "The platform takes only tokens of its issuer, made for it. What {name} may do follows from the group {group}."
        );
        self.tell(title, lines, &shows);
        Ok(client)
    }

    async fn look_around(&mut self, alice: &PlatformClient<'_>) -> Result<Plan, Error> {
        let title = "She lists templates and devices of Catalyst Center";
        self.begin(title);
        let (templates, _) = alice.result(SERVER, "get_all_templates", &json!({})).await?;
        let list = templates["templates"].as_array().cloned().unwrap_or_default();
        let template = list.iter().find(|t| t["name"] == TEMPLATE).and_then(|t| t["template_id"].as_str());
        let template = template.ok_or_else(|| interrupted(format!("there is no template `{TEMPLATE}`")))?;
        let wanted = json!({"role": "ACCESS", "limit": 50});
        let (devices, _) = alice.result(SERVER, "list_devices", &wanted).await?;
        let items = devices["items"].as_array().cloned().unwrap_or_default();
        let usable = |d: &&Json| d["software_type"] == "IOS-XE" && d["reachability"] == "Reachable";
        // Wireless controllers may have that role too; a VLAN is told more simply on a switch.
        let switch = |d: &&Json| usable(d) && d["family"].as_str().is_some_and(|f| f.starts_with("Switch"));
        let device = items.iter().find(switch).or_else(|| items.iter().find(usable));
        let device = device.ok_or_else(|| interrupted("no access switch is reachable".to_owned()))?;
        let text = |value: &Json| value.as_str().unwrap_or_default().to_owned();
        let (device_id, hostname) = (text(&device["id"]), text(&device["hostname"]));
        // Another number each time, so that a second tale changes something too.
        let vlan = 2000 + self.tale.clock.epoch_seconds().rem_euclid(1900);
        let names: Vec<String> = list.iter().map(|t| text(&t["name"])).collect();
        let lines = vec![
            format!("{} templates: {}", list.len(), names.join(", ")),
            format!("the first {} devices of the access layer; this tale takes {hostname}", items.len()),
        ];
        self.tell(
            title,
            lines,
            "Reading needs no more than the role. The credential of Catalyst Center never leaves the platform.",
        );
        let arguments = json!({
            "template_id": template, "device_id": device_id,
            "params": {"vlan_id": vlan, "vlan_name": format!("STORY-{vlan}")},
        });
        Ok(Plan { device_id, hostname, arguments, vlan_line: format!("vlan {vlan}") })
    }

    async fn preview(&mut self, alice: &PlatformClient<'_>, plan: &Plan) -> Result<(), Error> {
        let title = "She previews what a deployment would send";
        self.begin(title);
        let (preview, _) = alice.result(SERVER, "preview_template", &plan.arguments).await?;
        let lines: Vec<String> =
            preview["lines"].as_str().unwrap_or_default().lines().map(|l| format!("{} | {l}", plan.hostname)).collect();
        if !lines.iter().any(|l| l.contains(&plan.vlan_line)) {
            return Err(interrupted(format!("the preview has no line `{}`", plan.vlan_line)));
        }
        self.tell(title, lines, "A preview is a read: nothing has touched the switch.");
        Ok(())
    }

    async fn refused(&mut self, alice: &PlatformClient<'_>, plan: &Plan) -> Result<(Refusal, String), Error> {
        let title = "She deploys, and is refused";
        self.begin(title);
        let reply = alice.call(SERVER, DEPLOY, &plan.arguments).await?;
        let refusal = reply.refusal().filter(|r| r.code == "step_up_required" && r.url.is_some());
        let Some(refusal) = refusal else { return Err(reply.unexpected(DEPLOY)) };
        let mut lines = vec![format!("HTTP {} · {} · {}", reply.status, refusal.code, refusal.message)];
        lines.extend(refusal.unmet.iter().map(|u| format!("needs {}: {}", u.obligation, u.message)));
        lines.extend(refusal.url.iter().map(|url| format!("link: {url}")));
        self.tell(title, lines, "A change is guilty until proven safe: the refusal says why, and where to go. Nothing was sent to the switch.");
        Ok((refusal, reply.request_id))
    }

    async fn second_factor(&mut self, refusal: &Refusal) -> Result<(), Error> {
        let title = "She opens the link and passes the second factor";
        self.begin(title);
        let link = refusal.url.as_deref().and_then(|url| Url::parse(url).ok());
        let link = link.ok_or_else(|| interrupted("the refusal has no link".to_owned()))?;
        let person = self.person("alice")?;
        let listener = std::sync::Mutex::new(Vec::new());
        let waits = |why: &str| listener.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(why.to_owned());
        pass_second_factor(&link, &person, &*self.tale.clock, &waits).await?;
        for why in listener.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner) {
            self.listener.waits(&why);
        }
        let lines = vec![
            "the page names person, client, server and tool; the issuer asks for password and one-time code".to_owned(),
            "back on the page: the second factor was accepted".to_owned(),
        ];
        self.tell(title, lines, "The elevation is bound to her, this client and this server, for 15 minutes. The model never sees it, and cannot make one.");
        Ok(())
    }

    async fn deploy(&mut self, alice: &PlatformClient<'_>, plan: &Plan) -> Result<String, Error> {
        let title = "The same call succeeds";
        self.begin(title);
        let (mut result, request_id) = alice.result(SERVER, DEPLOY, &plan.arguments).await?;
        let mut lines = vec![format!("deploy_template: {}", short(&result))];
        for _ in 0..4 {
            let id = result["deployment_id"].as_str().map(str::to_owned);
            let Some(id) = id.filter(|_| result["status"] == "in_progress") else { break };
            self.listener.waits("the deployment is under way");
            result = alice.result(SERVER, "get_deployment", &json!({"deployment_id": id, "wait_s": 20})).await?.0;
            lines.push(format!("get_deployment: {}", short(&result)));
        }
        if result["status"] != "success" {
            return Err(interrupted(format!("the deployment ended as {}", short(&result))));
        }
        self.tell(
            title,
            lines,
            "The intent was on record before the credential was leased, the outcome before the reply.",
        );
        Ok(request_id)
    }

    async fn device_shows_it(&mut self, alice: &PlatformClient<'_>, plan: &Plan) -> Result<(), Error> {
        let title = "The switch's configuration shows it";
        self.begin(title);
        let arguments = json!({"device_id": plan.device_id});
        for attempt in 0..20 {
            let (answer, _) = alice.result(SERVER, "get_device_config", &arguments).await?;
            let config = answer["config"].as_str().unwrap_or_default();
            let from = config.lines().position(|line| line.trim() == plan.vlan_line);
            if let Some(from) = from {
                let lines = config.lines().skip(from).take(2).map(|l| format!("{} | {l}", plan.hostname)).collect();
                self.tell(
                    title,
                    lines,
                    "Read back from the device's own configuration; passwords and keys in it are masked.",
                );
                return Ok(());
            }
            if attempt == 0 {
                self.listener.waits("Catalyst Center has not read the configuration again yet");
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        Err(interrupted(format!("`{}` is not in the configuration", plan.vlan_line)))
    }

    async fn service_desk_never_sees_it(
        &mut self,
        alice: &PlatformClient<'_>,
        http: &reqwest::Client,
    ) -> Result<(), Error> {
        let title = "Sam of the service desk never sees that tool";
        self.begin(title);
        let sam = PlatformClient { http, base: &self.tale.ready.url, token: self.token("sam").await? };
        let (hers, his) = (alice.tools_by_mcp(SERVER).await?, sam.tools_by_mcp(SERVER).await?);
        let has = |tools: &[String]| tools.iter().any(|t| t == DEPLOY);
        let reply = sam.call(SERVER, DEPLOY, &json!({})).await?;
        if !has(&hers) || has(&his) || reply.status != 404 {
            return Err(interrupted("visibility is not as it should be".to_owned()));
        }
        let lines = vec![
            format!("tools/list by MCP: alice sees {}, sam {}: {}", hers.len(), his.len(), his.join(", ")),
            format!(
                "sam calls it all the same by REST: HTTP 404 · {}",
                reply.refusal().map(|r| r.code).unwrap_or_default()
            ),
        ];
        self.tell(title, lines, "What policy could never allow is not listed and not there, by every door.");
        Ok(())
    }

    fn audit_tells_it(&mut self, refused: &str, deployed: &str) -> Result<(), Error> {
        let title = "The audit tells all of it";
        self.begin(title);
        let mut lines = Vec::new();
        for id in [refused, deployed] {
            lines.extend(self.recorded(id)?);
        }
        lines.push(self.whole()?);
        self.tell(title, lines, "Refusal, intent and outcome are on record under the request ids of the replies, and nobody can edit them unseen.");
        Ok(())
    }
}

impl Chapters<'_> {
    /// What the audit has of a request, a line each.
    pub(super) fn recorded(&self, request_id: &str) -> Result<Vec<String>, Error> {
        let records = self.tale.ledger.about(request_id)?;
        match records.is_empty() {
            true => Err(interrupted(format!("the audit has no record of request {request_id}"))),
            false => Ok(records.iter().map(audit_line).collect()),
        }
    }

    /// That the audit log verifies, in a line.
    pub(super) fn whole(&self) -> Result<String, Error> {
        match self.tale.ledger.verify()? {
            (true, records) => Ok(format!("audit verify: {records} records, chain and signed checkpoints hold")),
            (false, _) => Err(interrupted("the audit log does not verify".to_owned())),
        }
    }
}

/// One audit record in a line.
fn audit_line(record: &Json) -> String {
    let text = |pointer: &str| record.pointer(pointer).and_then(Json::as_str).unwrap_or("-").to_owned();
    format!(
        "{} · {} · {} · {}/{} · {} {}",
        text("/@timestamp"),
        text("/user/name"),
        text("/interlock/phase"),
        text("/interlock/server"),
        text("/interlock/tool"),
        text("/interlock/outcome"),
        record.pointer("/event/code").and_then(Json::as_str).unwrap_or_default(),
    )
    .trim_end()
    .to_owned()
}

/// A result in one line.
pub(super) fn short(value: &Json) -> String {
    let text = value.to_string();
    match text.char_indices().nth(240) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

pub(super) fn interrupted(why: String) -> Error {
    Error::new(ErrorKind::Upstream, "story_interrupted", format!("The tale went another way: {why}."))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{audit_line, short};

    #[test]
    fn a_record_reads_as_one_line() {
        let record = json!({"@timestamp": "T", "user": {"name": "alice"}, "event": {"code": "step_up_required"},
            "interlock": {"phase": "call", "server": "s", "tool": "t", "outcome": "refused"}});
        assert_eq!(audit_line(&record), "T · alice · call · s/t · refused step_up_required");
    }

    #[test]
    fn long_results_are_cut_at_a_character() {
        let text = short(&json!("ä".repeat(500)));
        assert_eq!(text.chars().count(), 241);
    }
}
