//! What the model predicts is what a device becomes, and the lines that it finds lead back: the comparison after a step holds for
//! every honest change, on every system that takes it.
#![cfg(test)]

use device_config::{Config, Lines, Platform, Undo, diff, parse, undo};
use platform::artifacts::ArtifactId;
use platform::context::RequestId;
use serde_json::json;
use tool_runtime::ports::config_changer::{Progress, StepSpec};
use world::{Device, Os, Reachability};

use crate::lab::Lab;
use crate::porting::{ended, sealed, step};
use crate::road::Road;

/// The device's configuration now, as a change reads it.
async fn live(road: &Road, platform: Platform, device: &str) -> Config {
    let read = road.ports().read_live(device).await.unwrap();
    let text = road.artifacts.open(&ArtifactId::parse(&read.artifact.id).unwrap()).await.unwrap();
    parse(platform, &String::from_utf8(text).unwrap())
}

async fn applied(road: &Road, key: &str, step: &StepSpec) {
    let handle = road.ports().apply(RequestId::mint(), key, step).await.unwrap();
    let polled = ended(road, &step.device_id, handle).await;
    assert!(matches!(polled.progress, Progress::Succeeded { .. }), "{polled:?}");
}

/// Puts a VLAN on a device and takes it away again.
async fn there_and_back(lab: &Lab, road: &Road, platform: Platform, device: &Device) {
    let id = device.id.to_string();
    let before = live(road, platform, &id).await;
    let mut forward = step(lab, road).await.0;
    forward.device_id.clone_from(&id);
    let rendered = road.ports().render(&forward).await.unwrap();
    let rendered = road.artifacts.open(&ArtifactId::parse(&rendered.artifact.id).unwrap()).await.unwrap();
    let merged = before.merge(&Lines::new(String::from_utf8(rendered).unwrap()));
    let Undo::Generated(back) = undo(&before, &merged) else { panic!("{}: no way back", device.hostname) };

    applied(road, &format!("there-{id}"), &forward).await;
    let after = live(road, platform, &id).await;
    assert!(!diff(&before, &after).is_empty(), "{}: nothing has changed", device.hostname);
    assert_eq!(diff(&merged.after, &after).masked_text(), "", "{} is not what was predicted", device.hostname);

    let staged = road.ports().stage("chg-7", &id, &sealed(road, back.text()).await).await.unwrap();
    let backward = StepSpec {
        device_id: id.clone(),
        change: "chg-7".into(),
        carrier: staged.carrier,
        params: serde_json::Map::new(),
        secrets: staged.secrets,
    };
    applied(road, &format!("back-{id}"), &backward).await;
    let restored = live(road, platform, &id).await;
    assert_eq!(diff(&before, &restored).masked_text(), "", "{} is not what it was", device.hostname);
}

#[tokio::test]
async fn t21_a_vlan_is_there_as_predicted_and_gone_again_on_every_kind_of_switch() {
    let lab = Lab::start().await;
    let road = Road::over(&lab).await;
    let of = |os: Os, with_vlans: bool| {
        let fits = |device: &&Device| {
            let vlans = || lab.world.running(device).roots().iter().any(|node| node.line.starts_with("vlan "));
            device.os() == os
                && device.managed_by_controller()
                && lab.world.reachability(device) == Reachability::Reachable
                && vlans() == with_vlans
        };
        lab.world.devices().iter().find(fits)
    };
    // A spine routes: with its first VLAN, NX-OS prints the default one too.
    for (os, platform, with_vlans) in
        [(Os::NxOs, Platform::NxOs, false), (Os::NxOs, Platform::NxOs, true), (Os::IosXe, Platform::IosXe, true)]
    {
        let device = of(os, with_vlans).unwrap_or_else(|| panic!("{}", json!([os.name(), with_vlans])));
        there_and_back(&lab, &road, platform, device).await;
    }
}
