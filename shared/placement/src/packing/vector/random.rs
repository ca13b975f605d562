//! The search's own randomness: the same on every machine.

/// A generator of the SplitMix64 family: <https://prng.di.unimi.it/splitmix64.c>.
#[derive(Debug, Clone)]
pub(in crate::packing) struct Random(u64);

impl Random {
    /// Starts where the seed says.
    pub(in crate::packing) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// 32 bits.
    pub(in crate::packing) const fn bits(&mut self) -> u32 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        high_half(mixed ^ (mixed >> 31))
    }

    /// A number below `end`; 0 if there is none.
    pub(in crate::packing) const fn below(&mut self, end: u32) -> u32 {
        let bits = self.bits();
        high_half((bits as u64) * (end as u64))
    }

    /// An index below `len`; 0 if there is none. `len` counts as at most 2^32 - 1.
    pub(in crate::packing) fn index(&mut self, len: usize) -> usize {
        let below = self.below(u32::try_from(len).unwrap_or(u32::MAX));
        usize::try_from(below).unwrap_or(0)
    }

    /// An exponentially distributed number with mean 1, in 1,024ths: whether to accept what is worse by that much.
    pub(in crate::packing) const fn exponential(&mut self) -> u64 {
        // -ln(r / 2^32) = ln 2 * (32 - log2 r); the logarithm of the mantissa is taken as linear.
        let bits = self.bits() | 1;
        let zeros = bits.leading_zeros();
        let mantissa = ((bits << zeros) >> 16) as u64;
        let fraction = (mantissa - (1 << 15)) >> 5;
        ((zeros as u64 + 1) * 1024 - fraction) * 710 / 1024
    }
}

const fn high_half(bits: u64) -> u32 {
    (bits >> 32) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exponential_has_mean_one() {
        let mut random = Random::new(7);
        let sum: u64 = (0..100_000).map(|_| random.exponential()).sum();
        let mean = sum / 100_000;
        assert!((960..1090).contains(&mean), "mean {mean} of 1,024ths");
    }

    #[test]
    fn below_reaches_every_number_and_no_other() {
        let mut random = Random::new(1);
        let mut seen = [0_u32; 7];
        for _ in 0..7_000 {
            seen[random.index(7)] += 1;
        }
        assert!(
            seen.iter().all(|times| (800..1200).contains(times)),
            "{seen:?}"
        );
        assert_eq!(random.below(0), 0);
    }
}
