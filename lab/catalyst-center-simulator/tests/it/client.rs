//! A started simulator and a bare HTTP client for it.

use std::sync::Arc;

use interlock_catalyst_center_simulator::{Pace, Running, Simulator, SimulatorOptions};
use platform::Secret;
use platform::clock::AdjustableClock;
use reqwest::{Method, Response, StatusCode};
use serde_json::{Value, json};
use world::{CommandLog, Faults, Region, World, WorldOptions};

pub(crate) struct Lab {
    pub(crate) world: Arc<World>,
    pub(crate) faults: Arc<Faults>,
    pub(crate) commands: Arc<CommandLog>,
    pub(crate) clock: Arc<AdjustableClock>,
    pub(crate) running: Running,
    http: reqwest::Client,
    token: String,
}

#[expect(clippy::disallowed_methods, reason = "a test speaks to its own socket without the platform's client")]
pub(crate) fn http() -> reqwest::Client {
    reqwest::Client::builder().pool_max_idle_per_host(0).build().unwrap()
}

impl Lab {
    pub(crate) async fn start(change: impl FnOnce(&mut SimulatorOptions)) -> Self {
        let clock = Arc::new(AdjustableClock::default());
        let world = World::open(WorldOptions {
            seed: 1,
            devices: 120,
            region: Region::AmerApj,
            state_dir: None,
            clock: clock.clone(),
        });
        let world = Arc::new(world.unwrap());
        let mut options =
            SimulatorOptions::new("catalyst-center", Arc::clone(&world), "admin", Secret::new("pw"), clock.clone());
        options.pace = Pace { start_ms: 1, least_ms: 1, most_ms: 2 };
        change(&mut options);
        let (faults, commands) = (Arc::clone(&options.faults), Arc::clone(&options.commands));
        let running = Simulator::start(options).await.unwrap();
        let mut lab = Self { world, faults, commands, clock, running, http: http(), token: String::new() };
        lab.sign_in().await;
        lab
    }

    pub(crate) async fn token(&self, password: &str) -> Response {
        let url = format!("{}/dna/system/api/v1/auth/token", self.running.url);
        self.http.post(url).basic_auth("admin", Some(password)).send().await.unwrap()
    }

    pub(crate) async fn sign_in(&mut self) {
        let body: Value = self.token("pw").await.json().await.unwrap();
        self.token = body["Token"].as_str().unwrap().to_owned();
    }

    pub(crate) fn bearer(&self) -> &str {
        &self.token
    }

    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> Result<Response, reqwest::Error> {
        let mut request =
            self.http.request(method, format!("{}{path}", self.running.url)).header("x-auth-token", &self.token);
        if let Some(body) = body {
            request = request.json(&body);
        }
        request.header("x-caller-id", "test-caller").send().await
    }

    pub(crate) async fn call(&self, method: Method, path: &str, body: Option<Value>) -> (StatusCode, Value) {
        let answer = self.send(method, path, body).await.unwrap();
        (answer.status(), answer.json().await.unwrap())
    }

    /// GET under the intent API; the answer must be 200.
    pub(crate) async fn get(&self, path: &str) -> Value {
        let (status, body) = self.call(Method::GET, &format!("/dna/intent/api/v1{path}"), None).await;
        assert_eq!(status, StatusCode::OK, "{path} {body}");
        body
    }

    /// A reachable access switch.
    pub(crate) fn switch(&self) -> &world::Device {
        let mut switches = self.world.devices().iter().filter(|device| {
            device.role == world::Role::Access
                && device.platform.family == world::Family::Switch
                && self.world.reachability(device) == world::Reachability::Reachable
        });
        switches.next().unwrap()
    }

    pub(crate) async fn template(&self, name: &str) -> String {
        let rows = self.get("/template-programmer/template?unCommitted=true").await;
        let row = rows.as_array().unwrap().iter().find(|row| row["name"] == name).unwrap();
        row["templateId"].as_str().unwrap().to_owned()
    }

    /// Deploys `access-vlan` to a device with v2 and returns the raw answer.
    pub(crate) async fn deploy(&self, device: &world::Device, vlan: u32) -> Result<Response, reqwest::Error> {
        let body = json!({
            "templateId": self.template("access-vlan").await,
            "forcePushTemplate": true,
            "targetInfo": [{ "type": "MANAGED_DEVICE_UUID", "id": device.id, "params": { "vlan_id": vlan, "vlan_name": "TEST" } }],
        });
        self.send(Method::POST, "/dna/intent/api/v2/template-programmer/template/deploy", Some(body)).await
    }

    /// Follows a task to its end.
    pub(crate) async fn ended(&self, task: &str) -> Value {
        loop {
            let row = self.get(&format!("/task/{task}")).await["response"].clone();
            if row.get("endTime").is_some() {
                return row;
            }
            tokio::task::yield_now().await;
        }
    }

    /// Deploys and follows the task; the task's row and the deployment's.
    pub(crate) async fn deployed(&self, device: &world::Device, vlan: u32) -> (Value, Value) {
        let body: Value = self.deploy(device, vlan).await.unwrap().json().await.unwrap();
        let task = self.ended(body["response"]["taskId"].as_str().unwrap()).await;
        let progress = task["progress"].as_str().unwrap().to_owned();
        let id = progress.split_once("Template Deployemnt Id: ").unwrap().1.split(' ').next().unwrap().to_owned();
        (task, self.get(&format!("/template-programmer/template/deploy/status/{id}")).await)
    }
}
