//! Reads and writes the weights file: small numbers, a version and a checksum.
//!
//! Layout, little endian: magic, format, feature version, log2 of the bucket count, outputs,
//! number of calibration knots, category temperature, urgency temperature, cap, knots, biases,
//! scales, one signed byte per bucket and output, FNV-1a checksum of all before it.

use std::hash::Hasher;

use nextedge_core::{Error, ErrorKind, Result};

use crate::features::{BUCKETS, FEATURE_VERSION};
use crate::lexicon::Fnv;

/// Outputs of the linear model: five categories, then five urgencies.
pub const OUTPUTS: usize = 10;

/// How raw scores become probabilities that hold what they say.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Calibration {
    /// Divides the category scores before the softmax.
    pub temperature: f32,
    /// Divides the urgency scores before the softmax.
    pub urgency_temperature: f32,
    /// No confidence is above this: what the surest answers on unseen templates could prove.
    pub cap: f32,
    /// Rising pairs (probability of the softmax, share that was right); straight lines between.
    pub knots: Vec<(f32, f32)>,
}

impl Default for Calibration {
    fn default() -> Self {
        Self {
            temperature: 1.0,
            urgency_temperature: 1.0,
            cap: 1.0,
            knots: Vec::new(),
        }
    }
}

impl Calibration {
    /// Returns the calibrated probability for the top probability of the softmax.
    #[must_use]
    pub fn apply(&self, raw: f64) -> f64 {
        let mut left = (0.2_f64, 0.2_f64);
        for knot in &self.knots {
            let right = (f64::from(knot.0), f64::from(knot.1));
            if raw <= right.0 {
                let width = (right.0 - left.0).max(f64::EPSILON);
                let share = ((raw - left.0) / width).clamp(0.0, 1.0);
                return (left.1 + share * (right.1 - left.1)).min(f64::from(self.cap));
            }
            left = right;
        }
        let last = if self.knots.is_empty() { raw } else { left.1 };
        last.min(f64::from(self.cap))
    }
}

/// Everything a trained model is: numbers and their calibration.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Weights {
    /// How scores become probabilities.
    pub calibration: Calibration,
    /// What every mail starts with.
    pub bias: [f32; OUTPUTS],
    /// What one step of a quantised weight is worth.
    pub scale: [f32; OUTPUTS],
    /// `BUCKETS * OUTPUTS` steps, the outputs of one bucket side by side.
    pub steps: Vec<i8>,
}

impl Weights {
    /// Rounds trained weights (`BUCKETS * OUTPUTS`) to signed bytes.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Invalid`] if the number of weights is another.
    pub fn quantise(raw: &[f32], bias: [f32; OUTPUTS], calibration: Calibration) -> Result<Self> {
        if raw.len() != BUCKETS * OUTPUTS {
            return Err(refused("the number of weights is wrong"));
        }
        let mut largest = [f32::MIN_POSITIVE; OUTPUTS];
        for (i, weight) in raw.iter().enumerate() {
            largest[i % OUTPUTS] = largest[i % OUTPUTS].max(weight.abs());
        }
        let scale = largest.map(|l| l / 127.0);
        let steps = raw.iter().enumerate();
        let steps = steps
            .map(|(i, w)| (w / scale[i % OUTPUTS]).round() as i8)
            .collect();
        Ok(Self {
            calibration,
            bias,
            scale,
            steps,
        })
    }

    /// Writes the weights file.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.steps.len() + 1024);
        out.extend_from_slice(MAGIC);
        out.extend_from_slice(&FORMAT.to_le_bytes());
        out.extend_from_slice(&FEATURE_VERSION.to_le_bytes());
        out.push(BUCKETS.trailing_zeros() as u8);
        out.push(OUTPUTS as u8);
        out.extend_from_slice(&(self.calibration.knots.len() as u16).to_le_bytes());
        let Calibration {
            temperature,
            urgency_temperature,
            cap,
            knots,
        } = &self.calibration;
        let mut number = |n: f32| out.extend_from_slice(&n.to_le_bytes());
        [*temperature, *urgency_temperature, *cap]
            .into_iter()
            .for_each(&mut number);
        knots
            .iter()
            .flat_map(|(a, b)| [*a, *b])
            .for_each(&mut number);
        self.bias
            .into_iter()
            .chain(self.scale)
            .for_each(&mut number);
        out.extend(self.steps.iter().map(|s| s.to_le_bytes()[0]));
        let sum = checksum(&out);
        out.extend_from_slice(&sum.to_le_bytes());
        out
    }

    /// Reads a weights file.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Invalid`] if it is cut, changed, or made for another version of the features.
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        let Some((content, sum)) = bytes.split_last_chunk::<8>() else {
            return Err(refused("the file is cut"));
        };
        if !content.starts_with(MAGIC) {
            return Err(refused("this is no weights file"));
        }
        if u64::from_le_bytes(*sum) != checksum(content) {
            return Err(refused("the checksum does not match"));
        }
        let mut reader = Reader(&content[MAGIC.len()..]);
        let versions = (reader.u16()?, reader.u16()?);
        let shape = reader.u16()?.to_le_bytes();
        let expected = [BUCKETS.trailing_zeros() as u8, OUTPUTS as u8];
        if versions != (FORMAT, FEATURE_VERSION) || shape != expected {
            return Err(refused(
                "the file was made for another version of this crate",
            ));
        }
        let knots = reader.u16()?;
        let calibration = Calibration {
            temperature: reader.f32()?,
            urgency_temperature: reader.f32()?,
            cap: reader.f32()?,
            knots: (0..knots)
                .map(|_| Ok((reader.f32()?, reader.f32()?)))
                .collect::<Result<_>>()?,
        };
        let (bias, scale) = (reader.outputs()?, reader.outputs()?);
        let steps: Vec<i8> = reader.0.iter().map(|b| i8::from_le_bytes([*b])).collect();
        if steps.len() != BUCKETS * OUTPUTS {
            return Err(refused("the number of weights is wrong"));
        }
        Ok(Self {
            calibration,
            bias,
            scale,
            steps,
        })
    }
}

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N]> {
        let (head, rest) = self
            .0
            .split_first_chunk::<N>()
            .ok_or_else(|| refused("the file is cut"))?;
        self.0 = rest;
        Ok(*head)
    }

    fn u16(&mut self) -> Result<u16> {
        Ok(u16::from_le_bytes(self.take()?))
    }

    fn f32(&mut self) -> Result<f32> {
        let number = f32::from_le_bytes(self.take()?);
        if number.is_finite() {
            Ok(number)
        } else {
            Err(refused("a number is not finite"))
        }
    }

    fn outputs(&mut self) -> Result<[f32; OUTPUTS]> {
        let mut all = [0.0; OUTPUTS];
        for one in &mut all {
            *one = self.f32()?;
        }
        Ok(all)
    }
}

fn checksum(bytes: &[u8]) -> u64 {
    let mut fnv = Fnv::default();
    fnv.write(bytes);
    fnv.finish()
}

fn refused(why: &'static str) -> Error {
    Error::new(ErrorKind::Invalid, why)
        .with_operation("offline.weights.load")
        .with_action("train again with this version of the program")
}

const MAGIC: &[u8; 8] = b"NXEDGEAI";
const FORMAT: u16 = 1;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn small() -> Weights {
        let mut raw = vec![0.0; BUCKETS * OUTPUTS];
        raw[3] = -2.0;
        raw[13] = 1.0;
        let calibration = Calibration {
            knots: vec![(0.5, 0.4), (1.0, 0.9)],
            ..Calibration::default()
        };
        Weights::quantise(&raw, [0.5; OUTPUTS], calibration).unwrap()
    }

    #[test]
    fn what_was_written_is_read_back() {
        let weights = small();
        assert_eq!((weights.steps[3], weights.steps[13]), (-127, 64));
        assert_eq!(Weights::decode(&weights.encode()).unwrap(), weights);
    }

    #[test]
    fn changed_or_cut_files_are_refused() {
        let good = small().encode();
        for at in [0, 9, 20, 4000, good.len() - 1] {
            let mut bad = good.clone();
            bad[at] ^= 1;
            assert!(Weights::decode(&bad).is_err(), "byte {at}");
        }
        for length in [0, 7, 100, good.len() - 1] {
            assert!(Weights::decode(&good[..length]).is_err(), "length {length}");
        }
    }

    #[test]
    fn calibration_rises_and_ends_at_the_cap() {
        let calibration = Calibration {
            cap: 0.8,
            knots: vec![(0.5, 0.4), (1.0, 0.9)],
            ..Calibration::default()
        };
        let cases = [(0.2, 0.2), (0.5, 0.4), (0.75, 0.65), (1.0, 0.8), (2.0, 0.8)];
        for (raw, expected) in cases {
            assert!((calibration.apply(raw) - expected).abs() < 1e-6, "{raw}");
        }
    }
}
