//! The load under which the platform dies, and the clients' own journal of it: reads and writes by REST and MCP, sign-ins,
//! each answer written down when all of it came. The verdict rests on this journal, never on the platform's word.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use platform::Json;
use reqwest::RequestBuilder;
use serde_json::json;
use story::people::LAB_CLIENT;
use story::{Person, SignInOptions};
use tokio::sync::Mutex;

use crate::caller::{Answer, CENTER, Caller, EMEA, OWN};

/// Clients that read.
const READERS: usize = 6;
/// Clients that write; each write takes its time at the controller.
const WRITERS: usize = 6;
/// One read of so many is a refusal: refusals are records too.
const INVALID_EVERY: usize = 5;
/// Between a refusal and the next attempt.
const PAUSE: Duration = Duration::from_millis(20);
/// A load that nothing ends is a failed run.
const LONGEST: Duration = Duration::from_secs(180);

/// An answer that a client has.
#[derive(Debug, Clone)]
pub(crate) struct Acknowledged {
    pub(crate) request_id: String,
    /// The tool, or what else was asked.
    #[expect(dead_code, reason = "a finding prints it")]
    pub(crate) what: String,
    /// Whether its records are an intent and an outcome.
    pub(crate) wrote: bool,
}

/// A write as it was sent, and what its client knows of it.
#[derive(Debug, Clone)]
pub(crate) struct Write {
    /// Idempotency key, and the name by which its lines are known at the device.
    pub(crate) key: String,
    /// Which of the sites.
    pub(crate) site: usize,
    arguments: Json,
    /// Status and result, when all of the answer came.
    pub(crate) answer: Option<(u16, Json)>,
}

/// What the clients know.
#[derive(Debug, Default)]
pub(crate) struct Journal {
    pub(crate) acknowledged: Vec<Acknowledged>,
    pub(crate) writes: BTreeMap<String, Write>,
    /// Access tokens that people got while the load ran.
    pub(crate) tokens: Vec<String>,
    /// Versions of the administered secret: how many were sent, and the last that was answered.
    pub(crate) secrets_sent: u64,
    pub(crate) secret: Option<u64>,
    /// Answers that no healthy platform gives under this load.
    pub(crate) wrong: Vec<String>,
    /// Refusals that this load expects, by code.
    pub(crate) refused: BTreeMap<String, usize>,
}

impl Journal {
    /// Writes that were answered.
    pub(crate) fn answered(&self) -> usize {
        self.writes.values().filter(|write| write.answer.is_some()).count()
    }
}

/// A controller and the person who works on it. One each: an authenticator's code is good for one use.
pub(crate) struct Site {
    pub(crate) server: &'static str,
    user: &'static str,
    pub(crate) token: String,
    /// Access switches.
    pub(crate) devices: Vec<String>,
    /// A deployment, to be given a device and parameters.
    deployment: Json,
}

/// What the clients need; made once, while the platform is well.
pub(crate) struct Ground {
    pub(crate) sites: Vec<Site>,
    /// Who signs in again and again.
    person: Person,
    /// Token of the person who administers a secret.
    pub(crate) admin: String,
    /// Its current version, as far as anybody was told.
    pub(crate) secret: AtomicU64,
    next_write: AtomicUsize,
}

/// The secret that is administered under load.
pub(crate) const SECRET: &str = "crash/kept";
/// An authenticator shows the next code after this many seconds.
const NEXT_CODE: i64 = 31;

impl Site {
    async fn lay(caller: &Caller, server: &'static str, user: &'static str) -> Self {
        let token = caller.lab.token(user).await;
        let devices = caller.changeable_switches(&token, server).await;
        assert!(devices.len() >= 2, "{server} has {} switches", devices.len());
        let deployment = caller.deployment(&token, server, &devices[0], 2).await;
        caller.elevate(user, server, &deployment).await;
        Self { server, user, token, devices, deployment }
    }

    /// Passes the second factor once more.
    pub(crate) async fn elevate(&self, caller: &Caller) {
        let refused = caller.rest(&self.token, self.server, "deploy_template", &self.deployment).await;
        caller.lab.pass_second_factor(refused.link(), self.user).await.unwrap();
    }
}

impl Ground {
    /// Signs people in, finds devices and a template, and passes the second factor.
    pub(crate) async fn lay(caller: &Caller) -> Self {
        let sites = vec![Site::lay(caller, CENTER, "alice").await, Site::lay(caller, EMEA, "bob").await];
        let admin = caller.lab.token("ada").await;
        let (secret, next_write) = (AtomicU64::new(0), AtomicUsize::new(0));
        Self { sites, person: caller.lab.person("sam"), admin, secret, next_write }
    }

    fn site(&self, n: usize) -> &Site {
        &self.sites[n % self.sites.len()]
    }

    /// The next write of this ground: its own key, name and number of a VLAN.
    fn write(&self) -> Write {
        let n = self.next_write.fetch_add(1, Ordering::Relaxed);
        let site = self.site(n);
        let key = format!("CRASH{n:05}");
        let mut arguments = site.deployment.clone();
        arguments["device_id"] = json!(site.devices[n / self.sites.len() % site.devices.len()]);
        arguments["params"] = json!({"vlan_id": 2 + n % 3_000, "vlan_name": key});
        Write { key, site: n % self.sites.len(), arguments, answer: None }
    }
}

/// A running load. It ends when the platform dies.
pub(crate) struct Load {
    caller: Arc<Caller>,
    ground: Arc<Ground>,
    journal: Arc<Mutex<Journal>>,
    answers: Arc<AtomicUsize>,
    refusals: Arc<AtomicUsize>,
    stop: Arc<AtomicBool>,
    tolerated: &'static [&'static str],
    clients: tokio::task::JoinSet<()>,
}

impl Load {
    /// Starts every client. Refusals with one of these codes belong to what the platform is going through: the client
    /// waits a moment and sends the same again.
    pub(crate) fn start(caller: &Arc<Caller>, ground: &Arc<Ground>, tolerated: &'static [&'static str]) -> Self {
        let mut load = Self {
            caller: Arc::clone(caller),
            ground: Arc::clone(ground),
            journal: Arc::default(),
            answers: Arc::default(),
            refusals: Arc::default(),
            stop: Arc::default(),
            tolerated,
            clients: tokio::task::JoinSet::new(),
        };
        for n in 0..READERS {
            load.client(move |client| async move { client.read(n).await });
        }
        for n in 0..WRITERS {
            load.client(move |client| async move { client.write(n).await });
        }
        load.client(|client| async move { client.sign_in().await });
        load.client(|client| async move { client.administer().await });
        load
    }

    fn client<F: Future<Output = ()> + Send + 'static>(&mut self, run: impl FnOnce(Client) -> F) {
        self.clients.spawn(run(Client {
            caller: Arc::clone(&self.caller),
            ground: Arc::clone(&self.ground),
            journal: Arc::clone(&self.journal),
            answers: Arc::clone(&self.answers),
            refusals: Arc::clone(&self.refusals),
            stop: Arc::clone(&self.stop),
            tolerated: self.tolerated,
            until: Instant::now() + LONGEST,
        }));
    }

    /// Answers so far.
    pub(crate) fn answers(&self) -> usize {
        self.answers.load(Ordering::Relaxed)
    }

    /// Tolerated refusals so far.
    pub(crate) fn refusals(&self) -> usize {
        self.refusals.load(Ordering::Relaxed)
    }

    /// Ends it while the platform lives, and gives back what the clients know.
    pub(crate) async fn stop(self) -> Journal {
        self.stop.store(true, Ordering::Relaxed);
        self.ended().await
    }

    /// Waits until every client has noticed the death, and gives back what they know.
    pub(crate) async fn ended(mut self) -> Journal {
        while let Some(ended) = self.clients.join_next().await {
            ended.unwrap();
        }
        drop(self.clients);
        std::mem::take(&mut *self.journal.lock().await)
    }
}

struct Client {
    caller: Arc<Caller>,
    ground: Arc<Ground>,
    journal: Arc<Mutex<Journal>>,
    answers: Arc<AtomicUsize>,
    refusals: Arc<AtomicUsize>,
    stop: Arc<AtomicBool>,
    tolerated: &'static [&'static str],
    until: Instant,
}

impl Client {
    fn goes_on(&self) -> bool {
        !self.stop.load(Ordering::Relaxed) && Instant::now() < self.until
    }

    /// Whether an answer is a refusal that this load expects; then it is counted, and a moment passes.
    async fn tolerates(&self, answer: &Answer) -> bool {
        let Some(code) = answer.code().filter(|code| self.tolerated.contains(code)) else { return false };
        *self.journal.lock().await.refused.entry(code.to_owned()).or_default() += 1;
        self.refusals.fetch_add(1, Ordering::Relaxed);
        tokio::time::sleep(PAUSE).await;
        true
    }

    /// Writes an answer down. `wanted` are the codes of refusals that belong to this call.
    async fn acknowledge(&self, answer: &Answer, what: &str, wrote: bool, wanted: &[&str]) {
        self.answers.fetch_add(1, Ordering::Relaxed);
        let mut journal = self.journal.lock().await;
        let request_id = answer.header("x-request-id").to_owned();
        let healthy = match answer.code() {
            None => matches!(answer.status, 200 | 202) && wanted.is_empty(),
            Some(code) => wanted.contains(&code),
        };
        if request_id.is_empty() || !healthy {
            journal.wrong.push(format!("{what}: {answer:?}"));
        }
        journal.acknowledged.push(Acknowledged { request_id, what: what.to_owned(), wrote: wrote && healthy });
    }

    /// Reads until the platform is gone, by both doors in turn.
    async fn read(self, client: usize) {
        for n in client.. {
            if !self.goes_on() {
                return;
            }
            let Site { server, token, devices, .. } = self.ground.site(n);
            let device = json!({"device_id": devices[n % devices.len()]});
            let (server, tool, arguments, wanted): (_, _, _, &[&str]) = match n % INVALID_EVERY {
                0 => (*server, "get_device", json!({"device_id": n}), &["invalid_arguments"]),
                1 => (OWN, "whoami", json!({}), &[]),
                2 => (OWN, "echo", json!({"message": "x"}), &[]),
                _ => (*server, "get_device", device, &[]),
            };
            let request = match client % 2 {
                0 => self.caller.rest_request(token, server, tool, &arguments),
                _ => {
                    let params = json!({"name": tool, "arguments": arguments});
                    self.caller.mcp_request(token, server, "tools/call", &params)
                }
            };
            let Ok(answer) = Answer::received(request).await else { return };
            if !self.tolerates(&answer).await {
                self.acknowledge(&answer, tool, false, wanted).await;
            }
        }
    }

    /// Writes until the platform is gone, each write under a key of its own.
    async fn write(self, client: usize) {
        let mut refused = None;
        while self.goes_on() {
            let write = refused.take().unwrap_or_else(|| self.ground.write());
            // Before it is sent: whatever happens next, somebody knows that it may have happened.
            self.journal.lock().await.writes.insert(write.key.clone(), write.clone());
            let request = match client % 2 {
                0 => write.request(&self.caller, &self.ground),
                _ => {
                    let site = &self.ground.sites[write.site];
                    let mut arguments = write.arguments.clone();
                    arguments["_interlock"] = json!({"idempotency_key": write.key});
                    let params = json!({"name": "deploy_template", "arguments": arguments});
                    self.caller.mcp_request(&site.token, site.server, "tools/call", &params)
                }
            };
            let Ok(answer) = Answer::received(request).await else { return };
            if self.tolerates(&answer).await {
                refused = (answer.code() != Some("outcome_unknown")).then_some(write);
                continue;
            }
            self.acknowledge(&answer, "deploy_template", true, &[]).await;
            if answer.code().is_none() {
                let known = (answer.status, answer.result().clone());
                self.journal.lock().await.writes.get_mut(&write.key).unwrap().answer = Some(known);
            }
        }
    }

    /// Signs somebody in again and again.
    async fn sign_in(self) {
        let ready = &self.caller.lab.ready;
        let options = SignInOptions {
            issuer: ready.issuer.clone(),
            client_id: LAB_CLIENT.to_owned(),
            audience: ready.url.clone(),
            mfa: false,
        };
        let clock = self.caller.lab.clock();
        while self.goes_on() {
            let Ok(signed_in) = story::access_token(&options, &self.ground.person, &clock, &|_| ()).await else {
                return;
            };
            self.answers.fetch_add(1, Ordering::Relaxed);
            self.journal.lock().await.tokens.push(signed_in.token.expose().to_owned());
        }
    }
}

impl Client {
    /// Writes one new version of a secret, with the second factor that this one call needs.
    async fn administer(self) {
        let (caller, token) = (&self.caller, &self.ground.admin);
        let cas = self.ground.secret.load(Ordering::Relaxed);
        let arguments = json!({"path": SECRET, "fields": {"value": format!("value {cas}")}, "cas": cas});
        let request = || caller.rest_request(token, OWN, "put_secret", &arguments);
        // Any attempt may be the one that nobody hears of: an elevation that was passed before a death is still good.
        self.journal.lock().await.secrets_sent += 1;
        let Ok(mut answer) = Answer::received(request()).await else { return };
        if answer.code() == Some("step_up_required") {
            self.acknowledge(&answer, "put_secret", false, &["step_up_required"]).await;
            // The last code was used: the lab's clock goes on to the next one.
            caller.lab.advance(&caller.http, NEXT_CODE).await;
            if caller.lab.pass_second_factor(answer.link(), "ada").await.is_err() {
                return;
            }
            let Ok(again) = Answer::received(request()).await else { return };
            answer = again;
        }
        if self.tolerates(&answer).await {
            return;
        }
        self.acknowledge(&answer, "put_secret", true, &[]).await;
        if answer.code().is_none() {
            self.journal.lock().await.secret = answer.result()["version"].as_u64();
        }
    }
}

impl Write {
    /// As a request by REST.
    pub(crate) fn request(&self, caller: &Caller, ground: &Ground) -> RequestBuilder {
        let Site { server, token, .. } = &ground.sites[self.site];
        caller.rest_request(token, server, "deploy_template", &self.arguments).header("idempotency-key", &self.key)
    }
}
