//! The world process by hand, for clients in other languages: `world_process STATE_DIR [DEVICES]`. Account `admin`,
//! password and admin token `lab-password` and `lab-admin`. The platform's own `interlock lab world` is the real thing.

use std::net::SocketAddr;
use std::path::PathBuf;

use catalyst_center_simulator::Pace;
use interlock_lab_systems::{InstanceOptions, System, WorldProcessOptions, run_world};
use platform::Secret;
use world::Region;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let state_dir = PathBuf::from(arguments.next().ok_or("usage: world_process STATE_DIR [DEVICES]")?);
    let devices = arguments.next().map_or(Ok(300), |text| text.parse())?;
    std::fs::create_dir_all(&state_dir)?;
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    let instance = |name: &str, system| InstanceOptions {
        name: name.to_owned(),
        system,
        listen: any,
        username: "admin".to_owned(),
        password: Secret::new("lab-password"),
    };
    run_world(WorldProcessOptions {
        clock_file: state_dir.join("clock"),
        state_dir,
        instances: vec![
            instance("catalyst-center", System::CatalystCenter(Region::AmerApj)),
            instance("catalyst-center-emea", System::CatalystCenter(Region::Emea)),
            instance("servicenow", System::ServiceNow),
        ],
        admin_listen: any,
        admin_token: Secret::new("lab-admin"),
        devices,
        seed: 1,
        pace: Pace::default(),
    })
    .await?;
    Ok(())
}
