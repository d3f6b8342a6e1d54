//! Every generated configuration of the lab's world, masked: no secret survives, and nothing else changes.
#![cfg(test)]

use std::sync::Arc;

use device_config::{MASK, Platform, mask};
use platform::clock::AdjustableClock;
use serde_json::json;
use world::{Region, Role, World, WorldOptions};

use crate::lab::Lab;

/// The secret of a generated line, found by the line's fixed shape and not by the masking's rules.
fn planted(line: &str) -> Option<&str> {
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
        for device in world.devices().iter().filter(|d| d.has_configuration()) {
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
