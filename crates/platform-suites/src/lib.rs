//! Contract suites: what every implementation of a platform trait must do, written once. One module per trait; a backend
//! calls it from its tests. Next: the trait of the same name in `platform`.

pub mod audit;
