//! What the suite's one activity does, by its input, and what it did. `{"do": …, "value": …}`:
//!
//! - `say`: ends with `value`
//! - `fail`: fails for good; with `"times": n` it fails n times in a way that may pass, and then says `value`
//! - `wait`: ends with `value` once the test opens the gate that is named like the value
//! - `yield`: ends with `value`, and `cancelled` once its run is cancelled
//! - `intend`: announces `value`, and then waits as `wait` does
//! - `panic`: a defect

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use serde_json::json;
use tokio::sync::watch;
use workflow_api::{Activities, ActivityContext, ActivityError, Json};

/// The activity's name.
pub const ACT: &str = "suite.act";

/// One attempt that was begun.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Begun {
    /// The run.
    pub run: String,
    /// `value` of the input, as text.
    pub value: String,
    /// 1 for the first.
    pub attempt: u32,
    /// Its idempotency key.
    pub key: String,
}

/// Where the activities act. Clones share it.
#[derive(Clone, Default)]
pub struct World {
    begun: Arc<Mutex<Vec<Begun>>>,
    ended: Arc<Mutex<Vec<String>>>,
    announced: Arc<Mutex<Vec<String>>>,
    gates: Arc<Mutex<BTreeSet<String>>>,
    failed: Arc<Mutex<BTreeMap<String, u64>>>,
    moved: watch::Sender<u64>,
}

impl World {
    /// Every attempt that was begun.
    pub fn begun(&self) -> Vec<Begun> {
        self.begun.lock().unwrap().clone()
    }

    /// The values of attempts that were begun, in their order.
    pub fn values(&self) -> Vec<String> {
        self.begun().into_iter().map(|begun| begun.value).collect()
    }

    /// The values of attempts that ended, in their order, whatever with.
    pub fn ended(&self) -> Vec<String> {
        self.ended.lock().unwrap().clone()
    }

    /// What was announced, in its order.
    pub fn announced(&self) -> Vec<String> {
        self.announced.lock().unwrap().clone()
    }

    /// Opens the gate `name`, for good.
    pub fn open(&self, name: &str) {
        self.gates.lock().unwrap().insert(name.to_owned());
        self.moved.send_modify(|n| *n += 1);
    }

    /// Returns once `is` holds.
    pub async fn until(&self, is: impl Fn(&Self) -> bool) {
        let mut moved = self.moved.subscribe();
        while !is(self) {
            moved.changed().await.unwrap();
        }
    }

    /// Returns once an attempt with this value was begun.
    pub async fn begins(&self, value: &str) {
        self.until(|world| world.values().iter().any(|begun| begun == value)).await;
    }

    /// The activities.
    pub fn activities(&self) -> Activities {
        let world = self.clone();
        Activities::default().with(ACT, move |context, input| {
            let world = world.clone();
            async move {
                let value = input["value"].as_str().unwrap_or_default().to_owned();
                let begun = Begun {
                    run: context.run_id.clone(),
                    value: value.clone(),
                    attempt: context.attempt,
                    key: context.idempotency_key.clone(),
                };
                world.begun.lock().unwrap().push(begun);
                world.moved.send_modify(|n| *n += 1);
                let ended = world.act(&context, &input, &value).await;
                world.ended.lock().unwrap().push(value);
                world.moved.send_modify(|n| *n += 1);
                ended
            }
        })
    }

    async fn act(&self, context: &ActivityContext, input: &Json, value: &str) -> Result<Json, ActivityError> {
        let open = |world: &Self| world.gates.lock().unwrap().contains(value);
        match input["do"].as_str().unwrap_or_default() {
            "say" => Ok(json!(value)),
            "fail" => match input["times"].as_u64() {
                None => Err(ActivityError::fatal("suite_failed", "As the script says.")),
                Some(times) => {
                    let mut failed = self.failed.lock().unwrap();
                    let failed = failed.entry(format!("{}/{value}", context.run_id)).or_default();
                    if *failed >= times {
                        return Ok(json!(value));
                    }
                    *failed += 1;
                    Err(ActivityError::retryable("suite_failed", "As the script says."))
                }
            },
            "wait" => {
                self.until(open).await;
                Ok(json!(value))
            }
            "yield" => {
                context.cancelled().await;
                // Its own clean end takes as long as the test lets it.
                self.until(open).await;
                Err(ActivityError::cancelled())
            }
            "intend" => {
                context.announce(value).await?;
                self.announced.lock().unwrap().push(value.to_owned());
                self.moved.send_modify(|n| *n += 1);
                self.until(open).await;
                Ok(json!(value))
            }
            "panic" => panic!("as the script says"),
            other => Err(ActivityError::fatal("suite_unknown", other)),
        }
    }
}
