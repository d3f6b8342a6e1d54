//! A started instance and a bare HTTP client for it.

use std::sync::Arc;

use interlock_servicenow_simulator::{Running, Simulator, SimulatorOptions};
use platform::Secret;
use platform::clock::AdjustableClock;
use reqwest::{Method, Response};
use serde_json::{Value, json};
use world::accounts::Accounts;
use world::{Faults, Region, World, WorldOptions};

pub(crate) struct Lab {
    pub(crate) worlds: Vec<Arc<World>>,
    pub(crate) faults: Arc<Faults>,
    pub(crate) clock: Arc<AdjustableClock>,
    pub(crate) instance: Arc<Simulator>,
    pub(crate) running: Running,
    http: reqwest::Client,
}

#[expect(clippy::disallowed_methods, reason = "a test speaks to its own socket without the platform's client")]
pub(crate) fn http() -> reqwest::Client {
    reqwest::Client::builder().pool_max_idle_per_host(0).build().unwrap()
}

/// Both regions over a folder, or without one.
pub(crate) fn worlds(folder: Option<&std::path::Path>, clock: &Arc<AdjustableClock>) -> Vec<Arc<World>> {
    let open = |region| {
        let state_dir = folder.map(std::path::Path::to_owned);
        let options = WorldOptions { seed: 1, devices: 120, region, state_dir, clock: clock.clone() };
        Arc::new(World::open(options).unwrap())
    };
    vec![open(Region::AmerApj), open(Region::Emea)]
}

/// The integration user, the administrator and people of the lab; the password of each is `pw-NAME`.
pub(crate) fn accounts() -> Arc<Accounts> {
    let accounts = Accounts::one("interlock", Secret::new("pw-interlock"));
    for name in ["admin", "ada", "alice", "bob", "carl", "audrey", "vic", "sam"] {
        accounts.set(name, Some(Secret::new(format!("pw-{name}")))).unwrap();
    }
    Arc::new(accounts)
}

impl Lab {
    pub(crate) async fn start() -> Self {
        Self::with(|_| {}).await
    }

    pub(crate) async fn with(change: impl FnOnce(&mut SimulatorOptions)) -> Self {
        let clock = Arc::new(AdjustableClock::default());
        Self::over(worlds(None, &clock), clock, change).await
    }

    pub(crate) async fn over(
        worlds: Vec<Arc<World>>,
        clock: Arc<AdjustableClock>,
        change: impl FnOnce(&mut SimulatorOptions),
    ) -> Self {
        let mut options = SimulatorOptions::new(
            "servicenow",
            worlds.clone(),
            "interlock",
            Secret::new("pw-interlock"),
            clock.clone(),
        );
        options.accounts = accounts();
        change(&mut options);
        let (faults, listen) = (Arc::clone(&options.faults), options.listen);
        let instance = Simulator::new(options).unwrap();
        let running = Arc::clone(&instance).serve(listen, Arc::clone(&faults)).await.unwrap();
        Self { worlds, faults, clock, instance, running, http: http() }
    }

    pub(crate) fn request(&self, who: &str, method: Method, path: &str) -> reqwest::RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.running.url));
        request.basic_auth(who, Some(format!("pw-{who}"))).header("accept", "application/json")
    }

    pub(crate) async fn send(&self, who: &str, method: Method, path: &str, body: Option<Value>) -> Response {
        let mut request = self.request(who, method, path);
        if let Some(body) = body {
            request = request.json(&body);
        }
        request.send().await.unwrap()
    }

    pub(crate) async fn call(&self, who: &str, method: Method, path: &str, body: Option<Value>) -> (u16, Value) {
        let answer = self.send(who, method, path, body).await;
        (answer.status().as_u16(), answer.json().await.unwrap_or(Value::Null))
    }

    /// GET as the integration user; the answer must be 200.
    pub(crate) async fn get(&self, path: &str) -> Value {
        let (status, body) = self.call("interlock", Method::GET, path, None).await;
        assert_eq!(status, 200, "{path} {body}");
        body["result"].clone()
    }

    /// Rows of a table, values as texts.
    pub(crate) async fn rows(&self, table: &str, query: &str) -> Vec<Value> {
        let query: String = url::form_urlencoded::byte_serialize(query.as_bytes()).collect();
        let path = format!("/api/now/table/{table}?sysparm_exclude_reference_link=true&sysparm_query={query}");
        self.get(&path).await.as_array().unwrap().clone()
    }

    /// POST to a table as somebody; the answer must be 201.
    pub(crate) async fn insert(&self, who: &str, table: &str, body: Value) -> Value {
        let path = format!("/api/now/table/{table}?sysparm_exclude_reference_link=true");
        let (status, answer) = self.call(who, Method::POST, &path, Some(body)).await;
        assert_eq!(status, 201, "{answer}");
        answer["result"].clone()
    }

    /// PATCH of a row as somebody.
    pub(crate) async fn patch(&self, who: &str, table: &str, id: &Value, body: Value) -> (u16, Value) {
        let path = format!("/api/now/table/{table}/{}?sysparm_exclude_reference_link=true", id.as_str().unwrap());
        self.call(who, Method::PATCH, &path, Some(body)).await
    }

    /// The id of a group.
    pub(crate) async fn group(&self, name: &str) -> Value {
        self.rows("sys_user_group", &format!("name={name}")).await[0]["sys_id"].clone()
    }

    /// A new change with what it needs to leave New.
    pub(crate) async fn change(&self, kind: &str) -> Value {
        let body = json!({ "short_description": "Add VLAN 12", "type": kind, "assignment_group": self.group("Network").await });
        self.insert("interlock", "change_request", body).await["sys_id"].clone()
    }
}

/// What a refusal says.
pub(crate) fn detail(body: &Value) -> &str {
    body["error"]["detail"].as_str().unwrap_or_default()
}
