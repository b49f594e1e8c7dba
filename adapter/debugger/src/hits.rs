//! Which of a breakpoint's hits stop.

use std::fmt;

/// A hit condition: `5` (the fifth only), `>=5`, `>5`, `<5`, `<=5`, `==5`, `%3` (every third).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HitCondition {
    Only(u64),
    From(u64),
    After(u64),
    Before(u64),
    UpTo(u64),
    Every(u64),
}

/// Why a text is no hit condition, for the user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NoHitCondition(String);

impl fmt::Display for NoHitCondition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "`{}` is no hit condition; write `5` for the fifth hit only, `>=5`, `>5`, `<5` or `<=5` to compare, `%3` for \
             every third hit",
            self.0
        )
    }
}

impl HitCondition {
    /// Understands a hit condition.
    pub(crate) fn parse(text: &str) -> Result<Self, NoHitCondition> {
        let wrong = || NoHitCondition(text.trim().chars().take(40).collect());
        let text = text.trim();
        let split = text.find(|c: char| c.is_ascii_digit()).ok_or_else(wrong)?;
        let (sign, number) = text.split_at(split);
        let number: u64 = number.parse().map_err(|_| wrong())?;
        // A condition that no hit can meet is a mistake, not a wish.
        match (sign.trim_end(), number) {
            ("" | "==" | "=" | "%" | "<=", 0) | ("<", 0 | 1) => Err(wrong()),
            ("" | "==" | "=", number) => Ok(Self::Only(number)),
            (">=", number) => Ok(Self::From(number)),
            (">", number) => Ok(Self::After(number)),
            ("<", number) => Ok(Self::Before(number)),
            ("<=", number) => Ok(Self::UpTo(number)),
            ("%", number) => Ok(Self::Every(number)),
            _ => Err(wrong()),
        }
    }

    /// Whether the hit of this number, from 1, stops.
    pub(crate) fn stops(self, hit: u64) -> bool {
        match self {
            Self::Only(number) => hit == number,
            Self::From(number) => hit >= number,
            Self::After(number) => hit > number,
            Self::Before(number) => hit < number,
            Self::UpTo(number) => hit <= number,
            Self::Every(number) => hit.checked_rem(number) == Some(0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stops(text: &str) -> Vec<u64> {
        let condition = HitCondition::parse(text).unwrap();
        (1..=9).filter(|hit| condition.stops(*hit)).collect()
    }

    #[test]
    fn each_form_stops_where_it_says() {
        assert_eq!(stops("5"), [5]);
        assert_eq!(stops(" == 5 "), [5]);
        assert_eq!(stops("=5"), [5]);
        assert_eq!(stops(">=7"), [7, 8, 9]);
        assert_eq!(stops("> 7"), [8, 9]);
        assert_eq!(stops("<3"), [1, 2]);
        assert_eq!(stops("<= 3"), [1, 2, 3]);
        assert_eq!(stops("%3"), [3, 6, 9]);
        assert_eq!(stops("% 1"), [1, 2, 3, 4, 5, 6, 7, 8, 9]);
        assert_eq!(stops(">0").len(), 9);
    }

    #[test]
    fn what_is_none_says_what_would_be() {
        for text in ["", "x", "5x", "-5", "!5", "5 5", "%0", "0", "<1", "<=0", "==0", "99999999999999999999", "≥5"] {
            let error = HitCondition::parse(text).unwrap_err().to_string();
            assert!(error.starts_with(&format!("`{}` is no hit condition; write `5`", text.trim())), "{error}");
        }
    }
}
