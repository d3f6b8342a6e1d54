//! The reading of a bearer token before its signature is known, for the fuzz targets in `fuzz/` and for nobody else.

use platform::tokens::TokenRefusal;

use crate::claims::Claims;
use crate::compact::Compact;

/// What is read of a token without believing it: algorithm, key id, subject, client.
pub fn bearer(token: &str) -> Result<[String; 4], TokenRefusal> {
    let compact = Compact::parse(token)?;
    let claims = Claims::read(&compact.payload)?;
    claims.check_time(1_700_000_000, 60, 86_400)?;
    let client = claims.client()?.to_owned();
    drop(claims.scopes());
    Ok([compact.header.algorithm, compact.header.kid, claims.sub, client])
}
