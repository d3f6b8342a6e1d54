//! This connector's rows of the matrix of faults, and its gaps: where an attempt may end without anybody hearing of it, and
//! what is said of it then (T20).
#![cfg(test)]

use std::time::Duration;

use async_trait::async_trait;
use connector_suites::Rig;
use connector_suites::faults::{Bench, Call, compare, matrix};
use platform::Json;
use serde_json::json;
use tool_runtime::ports::config_changer::{
    APPLY, Handle, OpenIntent, PROVE, Polled, Progress, RENDER, SAVE, STAGE, Settled, StepSpec,
};
use tool_runtime::ports::config_reader::READ_LIVE;
use tool_runtime::ports::template_source::DESCRIBE;
use world::{Fault, Faults, Reachability};

use crate::lab::{Lab, NAME, PASSWORD, QUICK};
use crate::porting::{DEPLOY, Step, intent, sealed, step};
use crate::road::Road;

struct Center {
    lab: Lab,
    road: Road,
    step: Step,
    device: String,
}

#[async_trait]
impl Bench for Center {
    async fn start(attempt: Duration) -> Self {
        let lab = Lab::with(QUICK, |options| options.attempt_timeout = attempt).await;
        let road = Road::over(&lab).await;
        let step = step(&lab, &road).await;
        let device = lab.device(Reachability::Reachable).id.to_string();
        Self { lab, road, step, device }
    }

    fn rig(&self) -> &Rig {
        &self.road
    }

    fn faults(&self) -> &Faults {
        &self.lab.faults
    }

    fn system(&self) -> &str {
        NAME
    }

    async fn calls(&self) -> Vec<Call> {
        let lines = sealed(&self.road, "no vlan 3918\n").await;
        let (switch, interface) = crate::changing::port(&self.lab);
        let read = |tool, path, arguments| Call { tool, arguments, method: "GET", path, writes: false };
        let of_device = json!({"device_id": self.device});
        vec![
            read("list_devices", "/network-device", json!({"hostname": "sjc.*"})),
            read("get_device_config", "/config", of_device.clone()),
            read(PROVE, "/network-device/", of_device.clone()),
            Call {
                tool: READ_LIVE,
                arguments: of_device.clone(),
                method: "POST",
                path: "/cli/read-request",
                writes: false,
            },
            Call {
                tool: "run_show_commands",
                arguments: json!({"device_ids": [self.device], "commands": ["show version", "show running-config"]}),
                method: "POST",
                path: "/cli/read-request",
                writes: false,
            },
            Call {
                tool: "update_interface",
                arguments: json!({"device_id": switch.id.to_string(), "interface": interface, "vlan": 20}),
                method: "PUT",
                path: "/api/v1/interface/",
                writes: true,
            },
            Call {
                tool: "save_config",
                arguments: json!({"device_ids": [self.device]}),
                method: "POST",
                path: "/write-memory",
                writes: true,
            },
            Call { tool: SAVE, arguments: of_device, method: "POST", path: "/write-memory", writes: true },
            Call {
                tool: "deploy_template",
                arguments: json!({
                    "template_id": self.step.0.carrier.template_id, "device_id": self.device,
                    "params": self.step.0.params,
                }),
                method: "POST",
                path: DEPLOY,
                writes: true,
            },
            read(DESCRIBE, "/template/version/", json!({"template_id": self.step.0.carrier.template_id})),
            Call {
                tool: RENDER,
                arguments: serde_json::to_value(&self.step.0).unwrap(),
                method: "PUT",
                path: "/template/preview",
                writes: false,
            },
            Call {
                tool: STAGE,
                arguments: json!({"device_id": self.device, "change": "chg-7", "lines": lines}),
                method: "POST",
                path: "/template/version",
                writes: true,
            },
            Call {
                tool: APPLY,
                arguments: serde_json::to_value(&self.step.0).unwrap(),
                method: "POST",
                path: DEPLOY,
                writes: true,
            },
        ]
    }

    fn canaries(&self) -> Vec<String> {
        let device = self.lab.world.device(self.device.parse().unwrap()).unwrap();
        let text = self.lab.world.running(device).text();
        let planted = text.lines().filter_map(crate::masking::planted).map(str::to_owned);
        planted.chain([PASSWORD.to_owned()]).collect()
    }

    async fn followed(&self, call: &Call, answer: &Json) -> String {
        let progress = match call.tool {
            APPLY => self.progress(serde_json::from_value(answer.clone()).unwrap()).await,
            "deploy_template" => String::new(),
            _ => return "-".to_owned(),
        };
        format!("{progress}{} on the device", self.on_the_device().await)
    }

    async fn settled(&self, call: &Call) -> String {
        if call.tool != APPLY {
            return "-".to_owned();
        }
        match self.road.open_intents().await.pop() {
            Some(open) => said(&settle(&self.lab, &self.road, &intent(&open, &self.step.0)).await).to_owned(),
            None => "-".to_owned(),
        }
    }
}

impl Center {
    /// How a step ends, by its handle.
    async fn progress(&self, mut handle: Handle) -> String {
        loop {
            match self.road.ports().poll(&self.step.0.device_id, &handle).await {
                Ok(Polled { progress: Progress::Running, handle: known }) => handle = known,
                Ok(Polled { progress: Progress::Succeeded { .. }, .. }) => return "succeeded, ".to_owned(),
                Ok(Polled { progress: Progress::Failed { .. }, .. }) => return "failed, ".to_owned(),
                Err(error) => return format!("`{}`, ", error.code()),
            }
        }
    }

    /// How much of the step has reached the device; what was accepted needs a moment.
    async fn on_the_device(&self) -> &'static str {
        let device = self.lab.world.device(self.device.parse().unwrap()).unwrap();
        let mut held = "nothing";
        for _ in 0..200 {
            let text = self.lab.world.running(device).text();
            held = match (text.contains("vlan 3917"), text.contains("INTERLOCK_PROOF")) {
                (true, true) => return "all",
                (true, false) => "half",
                _ => "nothing",
            };
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        held
    }
}

/// Asks until the answer is final, while the clocks go on.
async fn settle(lab: &Lab, road: &Road, intent: &OpenIntent) -> Settled {
    for _ in 0..200 {
        match road.ports().reconcile(intent).await.unwrap() {
            Settled::Pending { again_in_ms } => {
                assert!(again_in_ms > 0);
                lab.clock.advance(i64::try_from(again_in_ms / 1_000).unwrap().max(1));
                tokio::task::yield_now().await;
            }
            settled => return settled,
        }
    }
    panic!("never settled");
}

fn said(settled: &Settled) -> &'static str {
    match settled {
        Settled::Done { .. } => "done",
        Settled::NotDone => "not done",
        Settled::Pending { .. } => "pending",
        Settled::Unknown { .. } => "unknown",
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_call_under_every_fault_is_as_the_page_says() {
    compare(NAME, &matrix::<Center>().await);
}

/// A gap, and what leads into it.
struct Gap {
    name: &'static str,
    /// On the deployment's own request.
    fault: Option<Fault>,
    /// The process dies before the handle is stored.
    loses_handle: bool,
    /// The intent was opened and nothing was sent.
    unsent: bool,
}

const GAPS: [Gap; 8] = [
    Gap { name: "before it is sent", fault: None, loses_handle: false, unsent: true },
    Gap {
        name: "sent, not acted on, no answer",
        fault: Some(Fault::ServerError { status: 500 }),
        loses_handle: false,
        unsent: false,
    },
    Gap { name: "sent and acted on, no answer", fault: Some(Fault::ReplyLost), loses_handle: false, unsent: false },
    Gap { name: "answered, handle not stored", fault: None, loses_handle: true, unsent: false },
    Gap { name: "handle stored, polling", fault: None, loses_handle: false, unsent: false },
    Gap { name: "no answer, task hidden", fault: Some(Fault::ReplyLost), loses_handle: false, unsent: false },
    Gap { name: "handle not stored, task hidden", fault: None, loses_handle: true, unsent: false },
    Gap { name: "handle stored, task hidden", fault: None, loses_handle: false, unsent: false },
];

#[tokio::test(flavor = "multi_thread")]
async fn t20_every_gap_is_settled_from_the_vendors_own_records() {
    let mut table = "| the attempt ended | changed on the device | reconcile says |\n| --- | --- | --- |\n".to_owned();
    for gap in GAPS {
        let lab = Lab::with(QUICK, |options| options.attempt_timeout = Duration::from_millis(400)).await;
        let road = Road::over(&lab).await;
        let Step(step) = step(&lab, &road).await;
        let device = lab.device(Reachability::Reachable);
        let unchanged = lab.world.running(device);
        lab.clock.advance(60);
        if gap.name.ends_with("task hidden") {
            lab.fault(DEPLOY, Fault::TaskHidden, 1);
        }
        if let Some(fault) = gap.fault {
            lab.fault(DEPLOY, fault, 1);
        }
        road.store.lose_handles(gap.loses_handle);
        let intent = if gap.unsent { unsent(&lab, &step) } else { attempted(&lab, &road, &step).await };
        road.store.lose_handles(false);
        assert_eq!(intent.handle.is_some(), gap.name.starts_with("handle stored"), "{}", gap.name);
        // What the controller has accepted comes to its end.
        let acted = !gap.unsent && gap.fault != Some(Fault::ServerError { status: 500 });
        while acted && lab.world.running(device) == unchanged {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let settled = settle(&lab, &road, &intent).await;
        if let Settled::Unknown { evidence } = &settled {
            assert!(evidence["why"].as_str().unwrap().len() > 20, "{evidence}");
        }
        let changed = if lab.world.running(device) == unchanged { "no" } else { "yes" };
        table.push_str(&format!("| {} | {changed} | {} |\n", gap.name, said(&settled)));
    }
    compare("gaps of catalyst-center", &table);
}

fn unsent(lab: &Lab, step: &StepSpec) -> OpenIntent {
    use platform::Clock as _;
    let announced_at_ms = lab.clock.now().as_millisecond();
    OpenIntent { call_id: "c-1".into(), step: step.clone(), announced_at_ms, handle: None }
}

/// Applies a step, and returns the intent as a process that starts again finds it.
async fn attempted(lab: &Lab, road: &Road, step: &StepSpec) -> OpenIntent {
    use platform::Clock as _;
    let announced_at_ms = lab.clock.epoch_seconds() * 1_000;
    let call_id = platform::context::RequestId::mint();
    let handle = road.ports().apply(call_id, "k-1", step).await.ok();
    OpenIntent { call_id: call_id.to_string(), step: step.clone(), announced_at_ms, handle }
}

#[tokio::test]
async fn the_breaker_opens_and_closes() {
    let lab = Lab::with(QUICK, |options| {
        options.retry.max_attempts = 1;
        options.breaker.failures = 3;
        options.breaker.open_for = Duration::from_millis(200);
    })
    .await;
    let road = Road::over(&lab).await;
    let ask = || road.call("list_issues", json!({}), None);
    ask().await.unwrap();
    lab.fault("/issues", Fault::ServerError { status: 503 }, 1_000);
    let mut codes = Vec::new();
    for _ in 0..6 {
        codes.push(ask().await.unwrap_err().code().to_owned());
    }
    assert_eq!(codes[..3], ["target_failed"; 3].map(str::to_owned));
    assert_eq!(codes[5], "target_circuit_open", "{codes:?}");
    assert_eq!(lab.used("/issues"), 3, "an open circuit sends nothing");
    lab.faults.inject(NAME, world::Match { path: Some("/issues".into()), ..Default::default() }, None, 0);
    let closed = async {
        while ask().await.is_err() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), closed).await.unwrap();
    let _: Json = ask().await.unwrap().structured;
}
