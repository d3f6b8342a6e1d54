//! Commitments (T15): what stands in a public plan in place of a value that may hold a secret. A commitment is an HMAC-SHA-256
//! over the value's place and the value, under a key that HKDF-SHA-256 derives from the plan's nonce. The nonce is sealed, so
//! that nobody can test a guess; with it, an auditor can be shown one value and see that it is the one.
//!
//! `docs/adr` says why, and how it is computed byte by byte.

use platform::keyed_hash::KeyedHash;
use platform::secret::SecretKey;
use platform::{Error, Json, canonical, seal};

/// Purpose of the derived key.
const PURPOSE: &str = "interlock change plan commitments v1";
/// Bytes of a nonce.
const NONCE: usize = 32;

/// Commits to the values of one plan.
pub struct Commitments(KeyedHash);

impl Commitments {
    /// With a nonce, hexadecimal, as the sealed plan holds it.
    pub fn of_nonce(nonce: &str) -> Result<Self, Error> {
        let bytes = hex::decode(nonce).map_err(|_| Error::internal("the nonce of a plan is not hexadecimal"))?;
        let bytes: [u8; NONCE] = bytes.try_into().map_err(|_| Error::internal("the nonce of a plan is cut short"))?;
        KeyedHash::derive(&SecretKey::new(bytes), PURPOSE).map(Self)
    }

    /// The commitment to a text at its place, hexadecimal. The same text has another commitment at another place.
    pub fn text(&self, place: &Place<'_>, text: &str) -> String {
        self.0.hex_of(&[place.to_string().as_bytes(), text.as_bytes()])
    }

    /// The commitment to a value: over its RFC 8785 form.
    pub fn value(&self, place: &Place<'_>, value: &Json) -> Result<String, Error> {
        Ok(self.0.hex_of(&[place.to_string().as_bytes(), &canonical::to_bytes(value)?]))
    }
}

/// A new nonce, hexadecimal.
pub fn new_nonce() -> Result<String, Error> {
    seal::random::<NONCE>().map(hex::encode)
}

/// Where in a plan a value stands. Written as a JSON pointer (RFC 6901) below the device's id:
/// `/devices/<device>/lines/3`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place<'p> {
    /// The device.
    pub device_id: &'p str,
    /// What of it.
    pub part: Part<'p>,
}

/// What of a device's plan a value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part<'p> {
    /// The canonical running configuration that the plan was made for.
    Baseline,
    /// The canonical configuration that is expected afterwards.
    Predicted,
    /// A parameter, by its name.
    Parameter(&'p str),
    /// A line that will be entered, from 0; blank ones are not counted.
    Line(usize),
    /// A line of the undo, from 0; blank ones are not counted.
    Undo(usize),
    /// What a check saw when the plan was made, by the check's name.
    Before(&'p str),
}

impl std::fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let escaped = |name: &str| name.replace('~', "~0").replace('/', "~1");
        write!(f, "/devices/{}", escaped(self.device_id))?;
        match self.part {
            Part::Baseline => f.write_str("/baseline"),
            Part::Predicted => f.write_str("/predicted"),
            Part::Parameter(name) => write!(f, "/params/{}", escaped(name)),
            Part::Line(at) => write!(f, "/lines/{at}"),
            Part::Undo(at) => write!(f, "/undo/{at}"),
            Part::Before(check) => write!(f, "/before/{}", escaped(check)),
        }
    }
}

/// The lines of a text as a plan counts them.
pub fn counted_lines(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter(|line| !line.trim().is_empty())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Commitments, Part, Place, new_nonce};

    #[test]
    fn t15_a_commitment_depends_on_nonce_place_and_value() {
        let nonce = new_nonce().unwrap();
        let commitments = Commitments::of_nonce(&nonce).unwrap();
        let place = |device_id, part| Place { device_id, part };
        let one = commitments.text(&place("a", Part::Line(1)), "key s3cret");
        assert_eq!(one, Commitments::of_nonce(&nonce).unwrap().text(&place("a", Part::Line(1)), "key s3cret"));
        for other in [
            commitments.text(&place("a", Part::Line(1)), "key s3cret "),
            commitments.text(&place("a", Part::Line(2)), "key s3cret"),
            commitments.text(&place("b", Part::Line(1)), "key s3cret"),
            commitments.text(&place("a", Part::Undo(1)), "key s3cret"),
            Commitments::of_nonce(&new_nonce().unwrap()).unwrap().text(&place("a", Part::Line(1)), "key s3cret"),
        ] {
            assert_ne!(one, other);
        }
    }

    #[test]
    fn t15_a_name_with_a_slash_is_no_other_place() {
        let place = |part| Place { device_id: "a", part }.to_string();
        assert_eq!(place(Part::Parameter("x/y~z")), "/devices/a/params/x~1y~0z");
        assert_eq!(place(Part::Line(3)), "/devices/a/lines/3");
        assert_eq!(place(Part::Before("neighbors")), "/devices/a/before/neighbors");
    }

    /// The construction of the decision record, written out: a change of it would make the evidence of old plans worthless.
    #[test]
    fn t15_the_construction_is_the_documented_one() {
        let commitments = Commitments::of_nonce(&"07".repeat(32)).unwrap();
        let place = Place { device_id: "a", part: Part::Parameter("key") };
        assert_eq!(commitments.value(&place, &json!("s3cret")).unwrap(), EXPECTED);
    }

    /// Computed outside of the product: see the record.
    const EXPECTED: &str = "2851cfcbc9a030df8647d31d33d4eecd8df78681f56e8d204bfdd2729bd3bfa3";
}
