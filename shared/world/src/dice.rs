//! Randomness without state.
//!
//! Every draw is made from the seed, a purpose, a subject and a number, so that one more service, task or event changes nothing
//! about the others.

use crate::config::RangeMs;

/// The seed, and how draws follow from it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Dice {
    seed: u64,
}

impl Dice {
    pub(crate) const fn new(seed: u64) -> Self {
        Self { seed }
    }

    /// A generator of its own for one purpose, subject and number.
    pub(crate) fn rng(self, purpose: &str, subject: &str, number: u64) -> fastrand::Rng {
        // FNV-1a: it spreads neighbouring subjects far apart, and is the same on every machine.
        let mut hash = 0xcbf2_9ce4_8422_2325_u64;
        let bytes = self
            .seed
            .to_le_bytes()
            .into_iter()
            .chain(purpose.bytes())
            .chain([0])
            .chain(subject.bytes())
            .chain([0])
            .chain(number.to_le_bytes());
        for byte in bytes {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
        fastrand::Rng::with_seed(hash)
    }

    /// A time from a range, in milliseconds.
    pub(crate) fn millis(self, range: RangeMs, purpose: &str, subject: &str, number: u64) -> i64 {
        let mut rng = self.rng(purpose, subject, number);
        i64::from(rng.u32(range.min..=range.max.max(range.min)))
    }

    /// Whether something happens that happens so many times in a thousand.
    pub(crate) fn happens(self, per_mille: u32, purpose: &str, subject: &str, number: u64) -> bool {
        per_mille > 0 && self.rng(purpose, subject, number).u32(0..1_000) < per_mille
    }

    /// So many hexadecimal digits.
    pub(crate) fn hex(self, digits: usize, purpose: &str, subject: &str, number: u64) -> String {
        let mut rng = self.rng(purpose, subject, number);
        (0..digits).map(|_| rng.digit(16)).collect()
    }

    /// A UUID of version 4.
    pub(crate) fn uuid(self, purpose: &str, subject: &str, number: u64) -> String {
        let mut rng = self.rng(purpose, subject, number);
        let mut hex = |digits: usize| (0..digits).map(|_| rng.digit(16)).collect::<String>();
        let (a, b, c, d) = (hex(8), hex(4), hex(3), hex(3));
        format!("{a}-{b}-4{c}-8{d}-{}", hex(12))
    }
}
