//! The places of a region: Global, countries, cities, campuses as buildings, floors. Sites are few, so they are all
//! generated at once; devices name theirs by index.
//!
//! Where next: [`crate::fleet`], which fills them.

use serde::Serialize;
use uuid::Uuid;

use crate::seed::Seed;

/// The part of the earth that one controller manages. Serial numbers, addresses and names of two regions never meet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Region {
    /// The Americas, Asia, the Pacific and Japan.
    AmerApj,
    /// Europe, the Middle East and Africa.
    Emea,
}

impl Region {
    /// The name as it stands in the journal and in the seed.
    pub fn name(self) -> &'static str {
        match self {
            Self::AmerApj => "amer-apj",
            Self::Emea => "emea",
        }
    }

    pub(crate) fn cities(self) -> &'static [City] {
        match self {
            Self::AmerApj => AMER_APJ,
            Self::Emea => EMEA,
        }
    }
}

/// A city with its country, three-letter code and position.
#[derive(Debug)]
pub(crate) struct City {
    pub(crate) country: &'static str,
    pub(crate) name: &'static str,
    pub(crate) code: &'static str,
    latitude: f64,
    longitude: f64,
    street: &'static str,
}

const fn city(
    country: &'static str,
    name: &'static str,
    code: &'static str,
    latitude: f64,
    longitude: f64,
    street: &'static str,
) -> City {
    City { country, name, code, latitude, longitude, street }
}

static AMER_APJ: &[City] = &[
    city("United States", "San Jose", "sjc", 37.338_208, -121.886_329, "West Tasman Drive"),
    city("United States", "New York", "nyc", 40.752_998, -73.992_806, "Penn Plaza"),
    city("Japan", "Tokyo", "tyo", 35.681_236, 139.767_125, "Marunouchi"),
    city("Singapore", "Singapore", "sin", 1.283_333, 103.85, "Raffles Quay"),
    city("Canada", "Toronto", "yyz", 43.653_226, -79.383_184, "Bay Street"),
    city("Brazil", "Sao Paulo", "gru", -23.550_52, -46.633_308, "Avenida Paulista"),
    city("India", "Bangalore", "blr", 12.971_599, 77.594_566, "Outer Ring Road"),
    city("Australia", "Sydney", "syd", -33.868_82, 151.209_29, "Pitt Street"),
];

static EMEA: &[City] = &[
    city("United Kingdom", "London", "lon", 51.507_351, -0.127_758, "Finsbury Square"),
    city("Germany", "Frankfurt", "fra", 50.110_924, 8.682_127, "Mainzer Landstrasse"),
    city("France", "Paris", "par", 48.856_614, 2.352_222, "Rue Camille Desmoulins"),
    city("Spain", "Madrid", "mad", 40.416_775, -3.703_79, "Calle de Serrano"),
    city("Italy", "Milan", "mil", 45.465_422, 9.185_924, "Via Torri Bianche"),
    city("United Arab Emirates", "Dubai", "dxb", 25.204_849, 55.270_783, "Sheikh Zayed Road"),
    city("Sweden", "Stockholm", "sto", 59.329_323, 18.068_581, "Vasagatan"),
    city("South Africa", "Johannesburg", "jnb", -26.204_103, 28.047_305, "Rivonia Road"),
];

/// What a site is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum SiteKind {
    /// The root.
    Global,
    /// A country or a city.
    Area,
    /// A building with an address.
    Building,
    /// A floor of a building.
    Floor,
}

/// A place. `parent` is an index into the same list; the root has none.
#[derive(Debug, Clone)]
pub struct Site {
    /// UUID version 4.
    pub id: Uuid,
    /// Index of the parent in [`crate::World::sites`].
    pub parent: Option<usize>,
    /// Last element of the hierarchy.
    pub name: String,
    /// `Global/Country/City/Building/Floor`.
    pub name_hierarchy: String,
    /// The ids from the root to here, joined with `/`.
    pub id_hierarchy: String,
    /// What it is.
    pub kind: SiteKind,
    /// Degrees north, for buildings.
    pub latitude: f64,
    /// Degrees east, for buildings.
    pub longitude: f64,
    /// Postal address, for buildings.
    pub address: String,
    /// Country, for buildings.
    pub country: &'static str,
    /// 1 is the ground floor, for floors.
    pub floor_number: u32,
}

/// Builds the hierarchy while devices are laid out; asking for a place twice gives the same one.
pub(crate) struct SitePlan {
    seed: Seed,
    pub(crate) sites: Vec<Site>,
}

impl SitePlan {
    pub(crate) fn new(seed: Seed) -> Self {
        let id = seed.uuid("site", 0);
        let root = Site {
            id,
            parent: None,
            name: "Global".to_owned(),
            name_hierarchy: "Global".to_owned(),
            id_hierarchy: id.to_string(),
            kind: SiteKind::Global,
            latitude: 0.0,
            longitude: 0.0,
            address: String::new(),
            country: "",
            floor_number: 0,
        };
        Self { seed, sites: vec![root] }
    }

    fn child(&mut self, parent: usize, name: &str, kind: SiteKind) -> usize {
        let Some(above) = self.sites.get(parent) else { return 0 };
        let hierarchy = format!("{}/{name}", above.name_hierarchy);
        if let Some(at) = self.sites.iter().position(|site| site.name_hierarchy == hierarchy) {
            return at;
        }
        let id = self.seed.uuid("site", self.sites.len() as u64);
        let site = Site {
            id,
            parent: Some(parent),
            name: name.to_owned(),
            name_hierarchy: hierarchy,
            id_hierarchy: format!("{}/{id}", above.id_hierarchy),
            kind,
            latitude: above.latitude,
            longitude: above.longitude,
            address: String::new(),
            country: above.country,
            floor_number: 0,
        };
        self.sites.push(site);
        self.sites.len() - 1
    }

    /// Building `building` (from 1) of campus `campus` (from 0) in a city.
    pub(crate) fn building(&mut self, city: &'static City, campus: u32, building: u32) -> usize {
        let name = format!("{}{:02}-B{building}", city.code.to_uppercase(), campus + 1);
        self.house(city, campus, building, &name)
    }

    /// The data centre of a campus.
    pub(crate) fn data_centre(&mut self, city: &'static City, campus: u32) -> usize {
        let name = format!("{}{:02}-DC1", city.code.to_uppercase(), campus + 1);
        self.house(city, campus, 9, &name)
    }

    fn house(&mut self, city: &'static City, campus: u32, building: u32, name: &str) -> usize {
        let country = self.child(0, city.country, SiteKind::Area);
        let town = self.child(country, city.name, SiteKind::Area);
        let at = self.child(town, name, SiteKind::Building);
        if let Some(site) = self.sites.get_mut(at) {
            site.latitude = city.latitude + f64::from(building) * 0.001 + f64::from(campus) * 0.01;
            site.longitude = city.longitude + f64::from(building) * 0.001;
            site.address = format!("{} {}, {}, {}", building * 100 + 70, city.street, city.name, city.country);
            site.country = city.country;
        }
        at
    }

    /// Floor `number` (from 1) of a building.
    pub(crate) fn floor(&mut self, building: usize, number: u32) -> usize {
        let at = self.child(building, &format!("Floor {number}"), SiteKind::Floor);
        if let Some(site) = self.sites.get_mut(at) {
            site.floor_number = number;
        }
        at
    }
}
