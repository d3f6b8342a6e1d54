//! The two shapes of one client: a row of the data API, and the older detail with its topology.

use serde_json::{Value, json};
use world::{Device, Endpoint, World};

use crate::reply::joined;
use crate::simulator::Simulator;

fn holder<'a>(world: &'a World, endpoint: &Endpoint) -> Option<&'a Device> {
    world.devices().get(endpoint.device)
}

/// The row of the data API.
pub(crate) fn row(simulator: &Simulator, endpoint: &Endpoint) -> Value {
    let world = &simulator.world;
    let Some(device) = holder(world, endpoint) else { return Value::Null };
    let site = world.site_of(device);
    let wlc = device.controller.and_then(|at| world.devices().get(at));
    let radio = endpoint.radio;
    let now = simulator.now_ms();
    json!({
        "id": endpoint.mac_text().to_uppercase(), "macAddress": endpoint.mac_text().to_uppercase(),
        "type": if endpoint.wireless { "Wireless" } else { "Wired" }, "name": endpoint.hostname, "userId": endpoint.user,
        "username": endpoint.user, "ipv4Address": endpoint.address.to_string(), "ipv6Addresses": [], "vendor": endpoint.vendor,
        "osType": endpoint.os, "osVersion": Value::Null, "formFactor": endpoint.form, "siteHierarchy": site.map(|site| &site.name_hierarchy),
        "siteHierarchyId": site.map(|site| &site.id_hierarchy), "siteId": site.map(|site| site.id), "lastUpdatedTime": now - now.rem_euclid(300_000),
        "connectionStatus": if endpoint.connected { "CONNECTED" } else { "DISCONNECTED" }, "tracked": "No", "isPrivateMacAddress": false,
        "health": {
            "overallScore": endpoint.health, "onboardingScore": if endpoint.connected { 4 } else { 0 }, "connectedScore": endpoint.health.saturating_sub(4),
            "linkErrorPercentageThreshold": 1, "isLinkErrorIncluded": true, "rssiThreshold": -72, "snrThreshold": 9,
            "isRssiIncluded": true, "isSnrIncluded": true,
        },
        "traffic": { "txBytes": 1_048_576, "rxBytes": 8_388_608, "usage": 9_437_184, "rxRate": 22_369.6, "txRate": 2_796.2 },
        "connectedNetworkDevice": {
            "connectedNetworkDeviceId": device.id, "connectedNetworkDeviceName": world.hostname(device),
            "connectedNetworkDeviceManagementIp": device.management_ip.to_string(), "connectedNetworkDeviceMac": device.mac_text().to_uppercase(),
            "connectedNetworkDeviceType": if endpoint.wireless { "AP" } else { "Switch" }, "interfaceName": endpoint.port,
            "interfaceSpeed": endpoint.port.as_ref().map(|_| 1_000_000), "duplexMode": endpoint.port.as_ref().map(|_| "FullDuplex"),
        },
        "connection": {
            "vlanId": endpoint.vlan, "sessionDuration": now - endpoint.since_ms, "ssid": radio.map(|radio| radio.ssid),
            "band": radio.map(|radio| radio.band), "channel": radio.map(|radio| radio.channel.to_string()),
            "channelWidth": radio.map(|_| "40"), "rssi": radio.map(|radio| radio.rssi_dbm), "snr": radio.map(|radio| radio.snr_db),
            "protocol": radio.map(|_| "802.11ax"), "wlcName": wlc.map(|wlc| world.hostname(wlc)), "wlcId": wlc.map(|wlc| wlc.id),
            "apMac": radio.map(|_| device.mac_text().to_uppercase()), "apEthernetMac": radio.map(|_| device.mac_text().to_uppercase()),
            "apMode": radio.map(|_| "Local"), "bridgeVmMode": Value::Null, "isIosAnalyticsCapable": false,
        },
        "onboarding": { "assocDoneTime": endpoint.since_ms, "authDoneTime": endpoint.since_ms + 40, "dhcpDoneTime": endpoint.since_ms + 90, "onboardingTime": endpoint.since_ms + 90 },
    })
}

/// The older detail.
pub(crate) fn detail(simulator: &Simulator, endpoint: &Endpoint) -> Value {
    let world = &simulator.world;
    let Some(device) = holder(world, endpoint) else { return Value::Null };
    let site = world.site_of(device).map(|site| site.name_hierarchy.clone()).unwrap_or_default();
    let radio = endpoint.radio;
    let now = simulator.now_ms();
    let mac = endpoint.mac_text().to_uppercase();
    let connection =
        if endpoint.wireless { radio.map_or("", |radio| radio.ssid).to_owned() } else { world.hostname(device) };
    let client = json!({
        "role": "CLIENT", "name": endpoint.hostname, "id": mac, "description": endpoint.user, "deviceType": Value::Null, "platformId": Value::Null,
        "family": Value::Null, "ip": endpoint.address.to_string(), "softwareVersion": Value::Null, "userId": endpoint.user, "nodeType": "Client",
        "radioFrequency": Value::Null, "clients": Value::Null, "count": Value::Null, "healthScore": endpoint.health, "level": 0,
        "fabricGroup": Value::Null, "connectedDevice": Value::Null,
    });
    let above = json!({
        "role": device.role.name(), "name": world.hostname(device), "id": device.id, "description": "Network Device", "deviceType": device.platform.type_name,
        "platformId": device.platform.id, "family": device.platform.family.name(), "ip": device.management_ip.to_string(),
        "softwareVersion": device.software_version, "userId": Value::Null, "nodeType": "NetworkDevice", "radioFrequency": Value::Null,
        "clients": Value::Null, "count": Value::Null, "healthScore": world.health(device).overall, "level": 1, "fabricGroup": Value::Null,
        "connectedDevice": Value::Null,
    });
    let detail = json!({
        "id": mac, "connectionStatus": if endpoint.connected { "CONNECTED" } else { "DISCONNECTED" }, "tracked": "No",
        "hostType": if endpoint.wireless { "WIRELESS" } else { "WIRED" }, "userId": endpoint.user, "duid": Value::Null, "identifier": endpoint.user.as_ref().unwrap_or(&mac),
        "hostName": endpoint.hostname, "hostOs": endpoint.os, "hostVersion": Value::Null, "subType": endpoint.form, "deviceVendor": endpoint.vendor,
        "lastUpdated": now - now.rem_euclid(300_000), "hostMac": mac, "hostIpV4": endpoint.address.to_string(), "hostIpV6": [],
        "healthScore": [
            { "healthType": "OVERALL", "reason": "", "score": endpoint.health }, { "healthType": "ONBOARDED", "reason": "", "score": if endpoint.connected { 4 } else { 0 } },
            { "healthType": "CONNECTED", "reason": "", "score": endpoint.health.saturating_sub(4) },
        ],
        "authType": if endpoint.wireless { json!("WPA2 Enterprise") } else { Value::Null }, "vlanId": endpoint.vlan, "vnid": 0, "ssid": radio.map(|radio| radio.ssid),
        "frequency": radio.map(|radio| radio.band), "channel": radio.map(|radio| radio.channel.to_string()), "apGroup": Value::Null, "location": site,
        "clientConnection": connection,
    });
    let more = json!({
        "connectedDevice": [{
            "type": if endpoint.wireless { "AP" } else { "SWITCH" }, "name": world.hostname(device), "mac": device.mac_text().to_uppercase(), "id": device.id,
            "ip address": device.management_ip.to_string(), "mgmtIp": device.management_ip.to_string(), "band": radio.map(|radio| radio.band), "mode": "Local",
        }],
        "issueCount": 0, "rssi": radio.map(|radio| radio.rssi_dbm.to_string()), "rssiThreshold": "-72", "rssiIsInclude": "true", "avgRssi": Value::Null,
        "snr": radio.map(|radio| radio.snr_db.to_string()), "snrThreshold": "9", "snrIsInclude": "true", "avgSnr": Value::Null, "dataRate": Value::Null,
        "txBytes": "1048576.0", "rxBytes": "8388608.0", "port": endpoint.port, "iosCapable": false, "usage": 9_437_184.0, "linkSpeed": 1_000_000,
        "remoteEndDuplexMode": Value::Null, "txLinkError": 0.0, "rxLinkError": 0.0, "txRate": 2_796.2, "rxRate": 22_369.6, "rxRetryPct": Value::Null,
        "clientType": if endpoint.wireless { "OLD" } else { "Wired" }, "onboardingTime": endpoint.since_ms + 90,
    });
    json!({
        "detail": joined(detail, more),
        "connectionInfo": {
            "hostType": if endpoint.wireless { "WIRELESS" } else { "WIRED" }, "nwDeviceName": world.hostname(device), "nwDeviceMac": device.mac_text().to_uppercase(),
            "protocol": radio.map(|_| "802.11ax"), "band": radio.map(|radio| radio.band), "spatialStream": "2", "channel": radio.map(|radio| radio.channel.to_string()),
            "channelWidth": "40", "wmm": "Supported", "uapsd": "Disabled", "timestamp": now,
        },
        "topology": {
            "nodes": [client, above],
            "links": [{
                "source": mac, "target": device.id, "linkStatus": if endpoint.connected { "UP" } else { "DOWN" }, "label": [], "id": Value::Null,
                "portUtilization": Value::Null, "sourceInterfaceName": Value::Null, "targetInterfaceName": endpoint.port,
            }],
        },
    })
}
