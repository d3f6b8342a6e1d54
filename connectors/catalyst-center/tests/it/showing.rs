//! Show commands: what devices print, masked; and what is not run at all.
#![cfg(test)]

use platform::Json;
use serde_json::json;
use world::{Fault, Reachability};

use crate::lab::Lab;
use crate::road::Road;

const READ_REQUEST: &str = "/cli/read-request";

#[tokio::test]
async fn every_command_has_its_result_on_every_device_in_the_order_asked() {
    let lab = Lab::start().await;
    let road = Road::over(&lab).await;
    let fits = |d: &&world::Device| d.has_configuration() && lab.world.reachability(d) == Reachability::Reachable;
    let mut ids: Vec<String> = lab.world.devices().iter().filter(fits).take(2).map(|d| d.id.to_string()).collect();
    ids.push(lab.device(Reachability::Unreachable).id.to_string());
    let commands =
        ["show version", "show running-config", "show nonsense-of-the-test | include x", "show ip interface brief"];
    let arguments = json!({"device_ids": ids, "commands": commands});
    let shown = road.call("run_show_commands", arguments, None).await.unwrap().structured;
    let devices = shown["devices"].as_array().unwrap();
    assert_eq!(devices.iter().map(|d| d["device_id"].as_str().unwrap()).collect::<Vec<_>>(), ids);
    for device in devices {
        let results = device["results"].as_array().unwrap();
        assert_eq!(results.iter().map(|r| r["command"].as_str().unwrap()).collect::<Vec<_>>(), commands);
    }
    let of = |device: usize, command: usize| &devices[device]["results"][command];
    assert_eq!(of(0, 0)["status"], "ok");
    let version = of(0, 0)["output"].as_str().unwrap();
    assert!(version.contains("Cisco IOS XE Software") && !version.contains("show version"), "{version}");
    assert!(!version.contains('#'), "no prompt: {version}");
    assert!((0..4).all(|command| of(2, command)["status"] == "failed"), "{}", devices[2]);
    let configuration = of(1, 1)["output"].as_str().unwrap();
    let device = lab.world.device(ids[1].parse().unwrap()).unwrap();
    let text = lab.world.running(device).text();
    assert!(configuration.contains("<masked>") && configuration.contains("hostname "));
    for secret in text.lines().filter_map(crate::masking::planted) {
        assert!(!shown.to_string().contains(secret), "a secret is shown");
    }
}

#[tokio::test]
async fn t6_what_does_more_than_show_is_refused_before_any_device_is_touched() {
    let lab = Lab::start().await;
    let road = Road::over(&lab).await;
    let id = lab.device(Reachability::Reachable).id.to_string();
    lab.fault(READ_REQUEST, Fault::Latency { ms: 0, done: false }, 100);
    for command in ["reload", "show version | redirect flash:x", "configure terminal", "show key chain", "write memory"]
    {
        let arguments = json!({"device_ids": [id], "commands": ["show clock", command]});
        let error = road.call("run_show_commands", arguments, None).await.unwrap_err();
        assert_eq!(error.code(), "command_not_read", "{command}");
        assert_eq!(error.refusal().details.as_ref().unwrap()["command"], command);
    }
    for commands in [json!(["show clock\nreload"]), json!(vec!["show clock"; 6]), json!([])] {
        let arguments = json!({"device_ids": [id], "commands": commands});
        let error = road.call("run_show_commands", arguments, None).await.unwrap_err();
        assert_eq!(error.code(), "invalid_arguments", "{commands}");
    }
    assert_eq!(lab.used(READ_REQUEST), 0);
}

#[tokio::test]
async fn long_output_is_cut_and_says_so() {
    let lab = Lab::start().await;
    let road = Road::over(&lab).await;
    let device = lab.device(Reachability::Reachable);
    let many: String =
        (100..2_100).map(|n| format!("ip route 10.{}.{}.0 255.255.255.0 10.0.0.1\n", n / 250, n % 250)).collect();
    let text = format!("{}{many}", lab.world.running(device).text());
    lab.world.set_running(device, &world::Config::parse(world::Os::IosXe, &text), true).unwrap();
    let arguments = json!({"device_ids": [device.id.to_string()], "commands": ["show running-config", "show clock"]});
    let shown = road.call("run_show_commands", arguments, None).await.unwrap().structured;
    let results: &Json = &shown["devices"][0]["results"];
    assert_eq!((&results[0]["cut"], &results[1]["cut"]), (&json!(true), &json!(false)));
    assert_eq!(results[0]["output"].as_str().unwrap().len(), 32 << 10);
}
