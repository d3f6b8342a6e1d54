//! stub
/// Stub.
pub struct RefusalLedger;
impl RefusalLedger {
    /// Stub.
    pub fn refused(&self, _source: std::net::IpAddr, _reason: &'static str) {}
}
