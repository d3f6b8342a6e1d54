//! stub
use std::time::Duration;
/// m
pub struct Metrics;
impl Metrics {
    /// c
    pub fn tool_call(&self, _s: &str, _t: &str, _o: &str, _c: &str, _d: Duration) {}
    /// c
    pub fn stage(&self, _s: &'static str, _d: Duration) {}
    /// c
    pub fn authz(&self, _e: &str) {}
    /// c
    pub fn secret(&self, _e: &str) {}
    /// c
    pub fn authn(&self, _e: &str, _r: &str) {}
}
