//! What must hold after a change, and what was so before: the first check is always that the device is what was predicted.

use device_config::Platform;
use platform::{Error, Json};
use serde_json::{Map, json};
use tool_runtime::ports::PortClient;
use tool_runtime::ports::state_probe::CheckQuery;

use crate::model::plan::Check;

/// The first check of every plan: the running configuration equals the predicted one, volatile lines left out.
pub const LIVE_EQUALS_PREDICTED: &str = "live_equals_predicted";

/// The first check.
pub(super) fn first() -> Check {
    Check { name: LIVE_EQUALS_PREDICTED.to_owned(), of: json!({}), tolerance: 0, before: None }
}

/// Reachability, interfaces and neighbours. The last two are asked of the device itself, because an inventory is older than
/// the write that is to be judged; where a platform's output is not read, they are left out rather than compared with something old.
pub(super) fn usual(platform: Platform) -> Vec<Check> {
    let check = |name: &str, of: Json| Check { name: name.to_owned(), of, tolerance: 0, before: None };
    let mut checks = vec![check("reachability", json!({}))];
    if matches!(platform, Platform::IosXe | Platform::NxOs) {
        checks.push(check("interfaces", json!({"live": true})));
        checks.push(check("neighbors", json!({"live": true})));
    }
    checks
}

/// What the checks see now, by name. A check that the server cannot make is left out of the plan.
pub(super) async fn observed(
    ports: &PortClient,
    device_id: &str,
    checks: Vec<Check>,
) -> Result<(Vec<Check>, Map<String, Json>), Error> {
    let (mut kept, mut before) = (vec![first()], Map::new());
    for check in checks {
        let query = CheckQuery { name: check.name.clone(), of: check.of.clone() };
        match ports.observe(device_id, &[query], None).await {
            Ok(seen) => {
                let value = seen.into_iter().next().map(|seen| seen.value).unwrap_or_default();
                before.insert(check.name.clone(), value);
                kept.push(check);
            }
            Err(error) if error.code() == "check_unsupported" => {}
            Err(error) => return Err(error),
        }
    }
    Ok((kept, before))
}

/// The address by which the source manages the device, where it says so: lines that touch it are dangerous.
pub(super) async fn management(ports: &PortClient, device_id: &str) -> Result<Option<String>, Error> {
    let query = CheckQuery { name: "management".to_owned(), of: json!({}) };
    match ports.observe(device_id, &[query], None).await {
        Ok(seen) => {
            let value = seen.into_iter().next().map(|seen| seen.value).unwrap_or_default();
            Ok(value.get("address").and_then(Json::as_str).map(str::to_owned))
        }
        Err(error) if error.code() == "check_unsupported" => Ok(None),
        Err(error) => Err(error),
    }
}
