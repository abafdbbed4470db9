//! How outcomes are stored: a small number to search by, JSON for the detail.

use nextedge_core::{Outcome, OutcomeKind, Result};

use crate::db::{decode, encode};
use crate::error::stored;

/// The number of a state; stored, so it never changes.
pub(crate) fn code(kind: OutcomeKind) -> i64 {
    match kind {
        OutcomeKind::Pending => 0,
        OutcomeKind::Delivered => 1,
        OutcomeKind::Parked => 2,
        OutcomeKind::Review => 3,
        OutcomeKind::Dead => 4,
    }
}

/// The state of a stored number.
pub(crate) fn kind(code: i64) -> Result<OutcomeKind> {
    Ok(match code {
        0 => OutcomeKind::Pending,
        1 => OutcomeKind::Delivered,
        2 => OutcomeKind::Parked,
        3 => OutcomeKind::Review,
        4 => OutcomeKind::Dead,
        _ => return Err(stored("outcome")),
    })
}

/// The stored detail; pending and delivered need none.
pub(crate) fn detail(outcome: &Outcome) -> Result<Option<String>> {
    match outcome {
        Outcome::Pending | Outcome::Delivered => Ok(None),
        Outcome::Parked { .. } | Outcome::Review { .. } | Outcome::Dead { .. } => {
            encode(outcome).map(Some)
        }
    }
}

/// The outcome of a stored number and detail.
pub(crate) fn read(stored_code: i64, detail: Option<&str>) -> Result<Outcome> {
    match (kind(stored_code)?, detail) {
        (OutcomeKind::Pending, _) => Ok(Outcome::Pending),
        (OutcomeKind::Delivered, _) => Ok(Outcome::Delivered),
        (OutcomeKind::Parked | OutcomeKind::Review | OutcomeKind::Dead, Some(text)) => decode(text),
        (_, None) => Err(stored("outcome")),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use nextedge_core::ParkReason;

    #[test]
    fn every_state_survives_storage() {
        for each in OutcomeKind::ALL {
            assert_eq!(kind(code(each)).unwrap(), each);
        }
        let parked = Outcome::Parked {
            reason: ParkReason::Machine("bounce".to_owned()),
        };
        let text = detail(&parked).unwrap();
        assert_eq!(read(2, text.as_deref()).unwrap(), parked);
        assert!(read(2, None).is_err());
        assert!(kind(9).is_err());
    }
}
