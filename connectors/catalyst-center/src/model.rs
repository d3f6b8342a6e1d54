//! The vendor's types, as far as they are read; and the normalised rows that callers get.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Text that the vendor sometimes sends as `null`, and sometimes as the word.
fn absent(text: Option<String>) -> Option<String> {
    text.filter(|t| !t.is_empty() && t != "null")
}

/// `GET /network-device`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct VendorDevice {
    pub(crate) id: String,
    hostname: Option<String>,
    management_ip_address: Option<String>,
    mac_address: Option<String>,
    serial_number: Option<String>,
    platform_id: Option<String>,
    #[serde(rename = "type")]
    kind: Option<String>,
    family: Option<String>,
    series: Option<String>,
    role: Option<String>,
    software_type: Option<String>,
    software_version: Option<String>,
    reachability_status: Option<String>,
    collection_status: Option<String>,
    up_time: Option<String>,
    last_update_time: Option<i64>,
    error_code: Option<String>,
    error_description: Option<String>,
    location: Option<String>,
    /// Beside `location`, not instead of it.
    location_name: Option<String>,
}

/// A network device.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(crate) struct Device {
    /// Catalyst Center's id of the device: `device_id` elsewhere.
    pub id: String,
    /// Host name.
    pub hostname: Option<String>,
    /// Management address.
    pub management_ip: Option<String>,
    /// MAC address.
    pub mac: Option<String>,
    /// Serial numbers; several for a stack.
    pub serials: Vec<String>,
    /// Platform ids, in the order of the serial numbers.
    pub platforms: Vec<String>,
    /// Product type.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// Product family.
    pub family: Option<String>,
    /// Product series.
    pub series: Option<String>,
    /// `ACCESS`, `DISTRIBUTION`, `CORE`, `BORDER ROUTER`, `UNKNOWN`.
    pub role: Option<String>,
    /// `IOS-XE`, …
    pub software_type: Option<String>,
    /// Software version.
    pub software_version: Option<String>,
    /// `Reachable`, `Unreachable`, `Ping Reachable`.
    pub reachability: Option<String>,
    /// `Managed`, `Partial Collection Failure`, …
    pub collection_status: Option<String>,
    /// Site name, where the vendor says it.
    pub site: Option<String>,
    /// Up time as the vendor prints it.
    pub up_time: Option<String>,
    /// Last update of the inventory, milliseconds since the epoch.
    pub updated_ms: Option<i64>,
    /// Why it cannot be reached or collected.
    pub error: Option<String>,
}

/// Stacks list their members in one text.
fn members(text: Option<String>) -> Vec<String> {
    absent(text)
        .map(|t| t.split(',').map(|s| s.trim().to_owned()).filter(|s| !s.is_empty()).collect())
        .unwrap_or_default()
}

impl From<VendorDevice> for Device {
    fn from(v: VendorDevice) -> Self {
        Self {
            id: v.id,
            hostname: absent(v.hostname),
            management_ip: absent(v.management_ip_address),
            mac: absent(v.mac_address),
            serials: members(v.serial_number),
            platforms: members(v.platform_id),
            kind: absent(v.kind),
            family: absent(v.family),
            series: absent(v.series),
            role: absent(v.role),
            software_type: absent(v.software_type),
            software_version: absent(v.software_version),
            reachability: absent(v.reachability_status),
            collection_status: absent(v.collection_status),
            site: absent(v.location).or_else(|| absent(v.location_name)),
            up_time: absent(v.up_time),
            updated_ms: v.last_update_time,
            error: absent(v.error_description).or_else(|| absent(v.error_code)),
        }
    }
}

/// `GET /interface/network-device/{id}`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct VendorInterface {
    id: String,
    port_name: Option<String>,
    device_id: Option<String>,
    admin_status: Option<String>,
    status: Option<String>,
    description: Option<String>,
    duplex: Option<String>,
    speed: Option<String>,
    mtu: Option<String>,
    mac_address: Option<String>,
    vlan_id: Option<String>,
    voice_vlan: Option<String>,
    port_mode: Option<String>,
    port_type: Option<String>,
    ipv4_address: Option<String>,
    ipv4_mask: Option<String>,
}

/// An interface of a device.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(crate) struct Interface {
    /// Catalyst Center's id of the interface.
    pub id: String,
    /// Name on the device.
    pub name: Option<String>,
    /// Its device.
    pub device_id: Option<String>,
    /// `UP`, `DOWN`: as configured.
    pub admin_status: Option<String>,
    /// `up`, `down`: as it is.
    pub status: Option<String>,
    /// Description.
    pub description: Option<String>,
    /// Duplex.
    pub duplex: Option<String>,
    /// Speed, kbit/s.
    pub speed_kbps: Option<u64>,
    /// Largest packet, bytes.
    pub mtu: Option<u64>,
    /// MAC address.
    pub mac: Option<String>,
    /// Access VLAN.
    pub vlan: Option<String>,
    /// Voice VLAN.
    pub voice_vlan: Option<String>,
    /// `access`, `trunk`, `routed`.
    pub mode: Option<String>,
    /// `Ethernet Port`, `Ethernet SVI`, …
    pub port_type: Option<String>,
    /// IPv4 address.
    pub ipv4: Option<String>,
    /// IPv4 mask.
    pub ipv4_mask: Option<String>,
}

impl From<VendorInterface> for Interface {
    fn from(v: VendorInterface) -> Self {
        let number = |t: Option<String>| t.and_then(|t| t.parse().ok());
        Self {
            id: v.id,
            name: absent(v.port_name),
            device_id: absent(v.device_id),
            admin_status: absent(v.admin_status),
            status: absent(v.status),
            description: absent(v.description),
            duplex: absent(v.duplex),
            speed_kbps: number(v.speed),
            mtu: number(v.mtu),
            mac: absent(v.mac_address),
            vlan: absent(v.vlan_id),
            voice_vlan: absent(v.voice_vlan),
            mode: absent(v.port_mode),
            port_type: absent(v.port_type),
            ipv4: absent(v.ipv4_address),
            ipv4_mask: absent(v.ipv4_mask),
        }
    }
}

/// `GET /sites`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct VendorSite {
    id: String,
    parent_id: Option<String>,
    name: Option<String>,
    name_hierarchy: Option<String>,
    #[serde(rename = "type")]
    kind: Option<String>,
    address: Option<String>,
    country: Option<String>,
    latitude: Option<f64>,
    longitude: Option<f64>,
}

/// A site: area, building or floor.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(crate) struct Site {
    /// Catalyst Center's id of the site.
    pub id: String,
    /// The site above it.
    pub parent_id: Option<String>,
    /// Name.
    pub name: Option<String>,
    /// Full path, `Global/USA/…`.
    pub hierarchy: Option<String>,
    /// `global`, `area`, `building`, `floor`.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// Street address of a building.
    pub address: Option<String>,
    /// Country of a building.
    pub country: Option<String>,
    /// Latitude of a building, degrees.
    pub latitude: Option<f64>,
    /// Longitude of a building, degrees.
    pub longitude: Option<f64>,
}

impl From<VendorSite> for Site {
    fn from(v: VendorSite) -> Self {
        Self {
            id: v.id,
            parent_id: absent(v.parent_id),
            name: absent(v.name),
            hierarchy: absent(v.name_hierarchy),
            kind: absent(v.kind),
            address: absent(v.address),
            country: absent(v.country),
            latitude: v.latitude,
            longitude: v.longitude,
        }
    }
}

/// `GET /issues`.
#[derive(Deserialize)]
pub(crate) struct VendorIssue {
    #[serde(rename = "issueId")]
    id: String,
    name: Option<String>,
    #[serde(rename = "siteId")]
    site_id: Option<String>,
    #[serde(rename = "deviceId")]
    device_id: Option<String>,
    #[serde(rename = "deviceRole")]
    device_role: Option<String>,
    status: Option<String>,
    priority: Option<String>,
    category: Option<String>,
    issue_occurence_count: Option<u64>,
    last_occurence_time: Option<i64>,
}

/// An assurance issue.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(crate) struct Issue {
    /// Catalyst Center's id of the issue.
    pub id: String,
    /// What is wrong.
    pub name: Option<String>,
    /// Site it was seen at.
    pub site_id: Option<String>,
    /// Device it was seen on.
    pub device_id: Option<String>,
    /// That device's role.
    pub device_role: Option<String>,
    /// `active`, `ignored`, `resolved`.
    pub status: Option<String>,
    /// `P1` to `P4`.
    pub priority: Option<String>,
    /// Category.
    pub category: Option<String>,
    /// How often it was seen.
    pub occurrences: Option<u64>,
    /// When it was seen last, milliseconds since the epoch.
    pub last_seen_ms: Option<i64>,
}

impl From<VendorIssue> for Issue {
    fn from(v: VendorIssue) -> Self {
        Self {
            id: v.id,
            name: absent(v.name),
            site_id: absent(v.site_id),
            device_id: absent(v.device_id),
            device_role: absent(v.device_role),
            status: absent(v.status),
            priority: absent(v.priority),
            category: absent(v.category),
            occurrences: v.issue_occurence_count,
            last_seen_ms: v.last_occurence_time,
        }
    }
}
