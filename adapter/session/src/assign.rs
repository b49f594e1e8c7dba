//! Giving variables other values, and what an expression that is being typed may go on with.

use weft_protocol::spec::{
    AssignedResponse, CompletionItem, CompletionsArguments, CompletionsResponse, InvalidatedEventBody,
    SetExpressionArguments, SetVariableArguments,
};
use weft_protocol::{Error, ErrorId};

use crate::debuggee::{Answer, Completions, Value};
use crate::outbox::Ticket;
use crate::reads::{Reader, frame};
use crate::shared::Shared;

/// Serves `setVariable`.
pub(crate) fn variable(shared: &Shared, asked: &SetVariableArguments) -> Answer<AssignedResponse> {
    let (epoch, _) = shared.need_stop()?;
    let container = shared.handles().find_container(asked.variables_reference)?;
    need_value(&asked.value)?;
    assigned(&Reader { shared, epoch }, container.assign(&asked.name, &asked.value)?)
}

/// Serves `setExpression`.
pub(crate) fn expression(shared: &Shared, asked: &SetExpressionArguments) -> Answer<AssignedResponse> {
    let (epoch, _) = shared.need_stop()?;
    need_value(&asked.value)?;
    let value = match frame(shared, asked.frame_id)? {
        Some(frame) => frame.assign(&asked.expression, &asked.value)?,
        None => shared.need_debuggee()?.assign(&asked.expression, &asked.value)?,
    };
    assigned(&Reader { shared, epoch }, value)
}

/// Answers; after a change a client that understands is told to read variables again. Their numbers stay.
pub(crate) fn tell(shared: &Shared, ticket: Ticket, answer: Answer<AssignedResponse>) {
    match answer {
        Ok(body) => {
            ticket.ok(&body);
            if shared.client().hears_invalidated {
                shared.out.event("invalidated", &InvalidatedEventBody { areas: vec!["variables"] });
            }
        }
        Err(error) => ticket.fail(error),
    }
}

/// Serves `completions`.
pub(crate) fn completions(shared: &Shared, asked: &CompletionsArguments) -> Answer<CompletionsResponse> {
    shared.need_stop()?;
    let first = i64::from(shared.client().style.columns_from_1);
    let line = asked.line.map_or(Some(1), |line| shared.places().line_from_client(line)).unwrap_or(1);
    let text = before(&asked.text, line, asked.column.saturating_sub(first));
    let found = match frame(shared, asked.frame_id)? {
        Some(frame) => frame.complete(text)?,
        None => shared.need_debuggee()?.complete(text)?,
    };
    Ok(CompletionsResponse { targets: targets(found, asked.column) })
}

fn need_value(value: &str) -> Answer<()> {
    if value.trim().is_empty() {
        return Err(Error::new(ErrorId::Evaluate, "nothing to assign: give an expression"));
    }
    Ok(())
}

fn assigned(reader: &Reader<'_>, value: Value) -> Answer<AssignedResponse> {
    let value = reader.value(value)?;
    Ok(AssignedResponse {
        value: value.text,
        type_field: value.type_name,
        variables_reference: value.reference,
        named_variables: value.named,
        indexed_variables: value.indexed,
        memory_reference: value.memory,
    })
}

/// A text up to a column of a line: the line counts from 1, the column from 0 in units of UTF-16.
fn before(text: &str, line: u32, column: i64) -> &str {
    let lines = usize::try_from(line.saturating_sub(1)).unwrap_or(usize::MAX);
    let begin = match lines.checked_sub(1) {
        Some(breaks) => text.match_indices('\n').nth(breaks).map_or(text.len(), |(at, _)| at.saturating_add(1)),
        None => 0,
    };
    let mut left = column;
    let mut end = begin;
    for character in text.get(begin..).unwrap_or_default().chars().take_while(|character| *character != '\n') {
        left = left.saturating_sub(i64::try_from(character.len_utf16()).unwrap_or(2));
        if left < 0 {
            break;
        }
        end = end.saturating_add(character.len_utf8());
    }
    text.get(..end).unwrap_or(text)
}

/// The names as a client takes them: in place of the begin that is there.
fn targets(found: Completions, column: i64) -> Vec<CompletionItem> {
    let length = i64::try_from(found.begin.encode_utf16().count()).unwrap_or(0);
    let target = |(at, (label, kind)): (usize, (String, Option<_>))| CompletionItem {
        label,
        text: None,
        // A client sorts by itself otherwise.
        sort_text: Some(format!("{at:05}")),
        detail: None,
        type_field: kind,
        start: Some(column.saturating_sub(length)),
        length: Some(length),
        selection_start: None,
        selection_length: None,
    };
    found.names.into_iter().enumerate().map(target).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_is_counted_in_units_of_utf_16() {
        assert_eq!(before("naïve.x", 1, 6), "naïve.");
        assert_eq!(before("'🦀'.up", 1, 5), "'🦀'.");
        assert_eq!(before("'🦀'.up", 1, 2), "'");
        assert_eq!(before("a = 1\nb.", 2, 2), "a = 1\nb.");
        assert_eq!(before("a = 1\nb.", 1, 99), "a = 1");
        assert_eq!(before("a", 7, 3), "a");
        assert_eq!(before("a", 1, -5), "");
        assert_eq!(before("", 1, i64::MAX), "");
    }

    #[test]
    fn a_name_replaces_its_begin() {
        let found = Completions { begin: "🦀".to_owned(), names: vec![("🦀s".to_owned(), None)] };
        let told = targets(found, 3);
        assert_eq!((told[0].start, told[0].length), (Some(1), Some(2)));
    }
}
