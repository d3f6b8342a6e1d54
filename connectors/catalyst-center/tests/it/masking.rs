//! Every generated configuration of the lab's world, masked: no secret survives, and nothing else changes.
#![cfg(test)]

use std::sync::Arc;

use device_config::{MASK, Platform, mask};
use platform::artifacts::{ArtifactId, Readers};
use platform::clock::AdjustableClock;
use serde_json::json;
use world::{Region, Role, World, WorldOptions};

use crate::lab::Lab;
use crate::road::Road;

/// The secret of a generated line, found by the line's fixed shape and not by the masking's rules.
pub(crate) fn planted(line: &str) -> Option<&str> {
    let words: Vec<&str> = line.split(' ').filter(|w| !w.is_empty()).collect();
    Some(match words.as_slice() {
        ["enable", "secret", "9", secret]
        | ["username", _, "privilege", "15", "secret", "9", secret]
        | ["username", _, "privilege", "15", "password", "7", secret]
        | ["neighbor", _, "password", "7", secret]
        | ["snmp-server", "community", secret, "RO" | "RW", _]
        | ["snmp-server", "host", _, "version", "2c", secret]
        | ["key", "7", secret]
        | ["ntp", "authentication-key", "1", "md5", secret, "7"] => secret,
        _ => return None,
    })
}

fn world(region: Region, seed: u64) -> World {
    let clock = Arc::new(AdjustableClock::default());
    World::open(WorldOptions { seed, devices: 400, region, state_dir: None, clock }).unwrap()
}

#[test]
fn no_planted_secret_survives_and_no_other_line_changes() {
    let mut configurations = 0;
    for (region, seed) in [(Region::AmerApj, 1), (Region::Emea, 3)] {
        let world = world(region, seed);
        for device in world.devices().iter().filter(|d| d.has_configuration() && d.os() == world::Os::IosXe) {
            let text = world.running(device).text();
            let masked = mask(Platform::IosXe, &text);
            let secrets: Vec<&str> = text.lines().filter_map(planted).collect();
            let expected = if device.role == Role::BorderRouter { 11 } else { 10 };
            assert_eq!(secrets.len(), expected, "{}: the shapes above fit the generator", device.hostname);
            assert_eq!(masked.secrets, expected, "{}", device.hostname);
            for secret in secrets {
                assert!(secret.len() >= 8 && !masked.text.contains(secret), "{}", device.hostname);
            }
            assert_eq!(masked.text.lines().count(), text.lines().count());
            for (before, after) in text.lines().zip(masked.text.lines()) {
                match planted(before) {
                    Some(secret) => assert!(after == before.replace(secret, MASK) || after.ends_with(MASK), "{after}"),
                    None => assert_eq!(after, before),
                }
            }
            configurations += 1;
        }
    }
    assert!(configurations >= 300, "{configurations}");
}

#[tokio::test]
async fn no_tool_shows_a_planted_secret() {
    let lab = Lab::start().await;
    for device in lab.world.devices().iter().filter(|d| d.has_configuration()).take(20) {
        let text = lab.world.running(device).text();
        let shown = lab.read("get_device_config", json!({"device_id": device.id.to_string()})).await.to_string();
        for secret in text.lines().filter_map(planted) {
            assert!(!shown.contains(secret), "{}", device.hostname);
        }
    }
}

#[tokio::test]
async fn t27_a_shown_configuration_is_an_artifact_of_exactly_the_masked_text() {
    let lab = Lab::start().await;
    let road = Road::over(&lab).await;
    let device = lab.world.devices().iter().find(|d| d.has_configuration()).unwrap();
    let shown =
        road.call("get_device_config", json!({"device_id": device.id.to_string()}), None).await.unwrap().structured;
    let text = shown["config"].as_str().unwrap();
    let id = ArtifactId::parse(shown["artifact"]["id"].as_str().unwrap()).unwrap();
    assert_eq!(road.artifacts.open(&id).await.unwrap(), text.as_bytes());
    assert_eq!(shown["sha256"], hex::encode(platform::canonical::sha256(text.as_bytes())));
    assert_eq!((&shown["artifact"]["kind"], &shown["first_lines"]), (&json!("configuration"), &json!(null)));
    let held = road.artifacts.find::<platform::Json>(&id).await.unwrap();
    assert_eq!((held[0].facts.origin.tool.as_str(), held[0].facts.readers), ("get_device_config", Readers::Origin));
    assert_eq!(held[0].context["targets"][0]["id"], device.id.to_string(), "who reads it is asked for this device");
}

#[tokio::test]
async fn t27_no_artifact_shows_a_planted_secret() {
    let lab = Lab::start().await;
    let road = Road::over(&lab).await;
    for device in lab.world.devices().iter().filter(|d| d.has_configuration()).take(5) {
        let arguments = json!({"device_id": device.id.to_string()});
        let shown = road.call("get_device_config", arguments, None).await.unwrap().structured;
        let id = ArtifactId::parse(shown["artifact"]["id"].as_str().unwrap()).unwrap();
        let kept = String::from_utf8(road.artifacts.open(&id).await.unwrap()).unwrap();
        let text = lab.world.running(device).text();
        assert!(text.lines().filter_map(planted).count() > 5);
        for secret in text.lines().filter_map(planted) {
            assert!(!kept.contains(secret), "{}", device.hostname);
        }
    }
}
