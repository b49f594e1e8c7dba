//! The headers of `http::HeaderMap {entries: Vec<Bucket {key, value, links}>, extra_values: Vec<ExtraValue {value, next}>}`.

use crate::{Place, Sequence, Stop, ValueError};

/// Names and values of headers, a name again for each of its values.
pub(super) struct Headers {
    buckets: Sequence,
    extra: Sequence,
}

/// How many there are, and where.
pub(super) fn headers(stop: &Stop, place: &Place) -> Result<(u64, Headers), ValueError> {
    let buckets = place.member("entries")?.sequence(stop)?;
    let extra = place.member("extra_values")?.sequence(stop)?;
    Ok((buckets.len.saturating_add(extra.len), Headers { buckets, extra }))
}

impl Headers {
    /// Names and values, `count` from `start` on, in the order of the program's own iteration. No more steps are made than
    /// there are values.
    pub(super) fn range(&self, stop: &Stop, start: u64, count: u64) -> Result<Vec<(Place, Place)>, ValueError> {
        let mut found = Vec::new();
        let mut seen = 0_u64;
        for index in 0..self.buckets.len {
            let bucket = self.buckets.get(index)?;
            let key = bucket.member("key")?;
            let mut value = Some(bucket.member("value")?);
            let mut next = first_extra(stop, &bucket)?;
            while let Some(current) = value {
                if u64::try_from(found.len()).unwrap_or(u64::MAX) >= count {
                    return Ok(found);
                }
                if seen >= start {
                    found.push((key.clone(), current));
                }
                seen = seen.saturating_add(1);
                if seen > self.buckets.len.saturating_add(self.extra.len) {
                    return Err(ValueError::Invalid("headers that lead in a circle".to_owned()));
                }
                value = match next {
                    Some(at) => {
                        let extra = self.extra.get(at)?;
                        next = following(stop, &extra)?;
                        Some(extra.member("value")?)
                    }
                    None => None,
                };
            }
        }
        Ok(found)
    }
}

/// The first further value of a name.
fn first_extra(stop: &Stop, bucket: &Place) -> Result<Option<u64>, ValueError> {
    let links = bucket.member("links")?.variant(stop)?;
    match links.name.as_str() {
        "Some" => links.place.member("__0")?.member("next")?.read_u64(stop).map(Some),
        _ => Ok(None),
    }
}

/// The value after a further one: none where it leads back to the name.
fn following(stop: &Stop, extra: &Place) -> Result<Option<u64>, ValueError> {
    let next = extra.member("next")?.variant(stop)?;
    match next.name.as_str() {
        "Extra" => next.place.member("__0")?.read_u64(stop).map(Some),
        _ => Ok(None),
    }
}
