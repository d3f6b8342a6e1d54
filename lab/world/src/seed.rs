//! Deterministic randomness: every drawn fact depends on the seed, a label and a number, never on the order in which
//! facts are asked for, so that anything may be generated on demand and thrown away.
//!
//! Where next: [`crate::fleet`] draws the devices, [`crate::sites`] the places.

use rand_chacha::ChaCha8Rng;
use rand_core::{RngCore, SeedableRng};
use uuid::Uuid;

/// The seed of one world: the number of the lab mixed with the name of the region.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Seed(u64);

impl Seed {
    /// Mixes the lab's number with a name, so that two regions of one lab differ in everything.
    pub(crate) fn new(number: u64, name: &str) -> Self {
        Self(number.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ fnv(name.as_bytes()))
    }

    /// A stream of draws that belongs to (`label`, `n`) alone.
    pub(crate) fn draw(self, label: &str, n: u64) -> Draw {
        let mixed = self.0 ^ fnv(label.as_bytes()) ^ n.wrapping_mul(0xD6E8_FEB8_6659_FD93);
        Draw(ChaCha8Rng::seed_from_u64(mixed))
    }

    /// The id of thing number `n` of a kind: a version 4 UUID, as the vendor hands out.
    pub(crate) fn uuid(self, label: &str, n: u64) -> Uuid {
        self.draw(label, n).uuid()
    }
}

/// A stream of draws.
pub(crate) struct Draw(ChaCha8Rng);

impl Draw {
    /// A number below `n`; 0 when `n` is 0.
    pub(crate) fn below(&mut self, n: u32) -> u32 {
        if n == 0 { 0 } else { self.0.next_u32() % n }
    }

    /// True in `percent` of 100 draws.
    pub(crate) fn chance(&mut self, percent: u32) -> bool {
        self.below(100) < percent
    }

    /// One of `items`, or `fallback` of an empty slice.
    pub(crate) fn pick<T: Copy>(&mut self, items: &[T], fallback: T) -> T {
        let at = self.below(u32::try_from(items.len()).unwrap_or(0)) as usize;
        items.get(at).copied().unwrap_or(fallback)
    }

    /// A version 4 UUID.
    pub(crate) fn uuid(&mut self) -> Uuid {
        let mut bytes = [0; 16];
        self.0.fill_bytes(&mut bytes);
        uuid::Builder::from_random_bytes(bytes).into_uuid()
    }

    /// `length` characters of the crypt alphabet, for hashes that look like the vendor's.
    pub(crate) fn crypt(&mut self, length: usize) -> String {
        const ALPHABET: &[u8] = b"./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
        (0..length).map(|_| char::from(self.pick(ALPHABET, b'.'))).collect()
    }

    /// `length` upper-case hexadecimal digits.
    pub(crate) fn hex(&mut self, length: usize) -> String {
        (0..length).map(|_| char::from(self.pick(b"0123456789ABCDEF", b'0'))).collect()
    }
}

/// FNV-1a, 64 bits: a fixed hash, because the standard one changes between releases of the compiler.
pub(crate) fn fnv(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xCBF2_9CE4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01B3))
}

#[cfg(test)]
mod tests {
    use super::Seed;

    #[test]
    fn a_draw_depends_on_its_label_and_number_only() {
        let seed = Seed::new(7, "amer-apj");
        assert_eq!(seed.uuid("device", 3), seed.uuid("device", 3));
        assert_ne!(seed.uuid("device", 3), seed.uuid("device", 4));
        assert_ne!(seed.uuid("device", 3), seed.uuid("site", 3));
        assert_ne!(seed.uuid("device", 3), Seed::new(7, "emea").uuid("device", 3));
    }
}
