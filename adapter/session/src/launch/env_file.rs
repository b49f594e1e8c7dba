//! `envFile`: `NAME=value` lines, as editors and containers write them.

/// The variables of a file, in its order; or the number of the first line that is none. Empty lines and those that
/// begin with `#` are skipped; `export` before a name is allowed; a value may stand in single quotes (taken as it
/// is) or double quotes (`\n`, `\"`, `\\` are understood).
pub(super) fn parse(text: &str) -> Result<Vec<(String, String)>, usize> {
    let mut variables = Vec::new();
    for (line, number) in text.lines().zip(1..) {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let line = line.strip_prefix("export ").unwrap_or(line);
        let (name, value) = line.split_once('=').ok_or(number)?;
        let name = name.trim();
        if name.is_empty() || name.contains(char::is_whitespace) {
            return Err(number);
        }
        variables.push((name.to_owned(), unquote(value.trim())));
    }
    Ok(variables)
}

fn unquote(value: &str) -> String {
    let inside = |quote: char| value.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote));
    if let Some(inner) = inside('\'') {
        return inner.to_owned();
    }
    let Some(inner) = inside('"') else { return value.to_owned() };
    let mut plain = String::with_capacity(inner.len());
    let mut characters = inner.chars();
    while let Some(character) = characters.next() {
        match (character, characters.as_str().chars().next()) {
            ('\\', Some(next @ ('n' | '"' | '\\'))) => {
                plain.push(if next == 'n' { '\n' } else { next });
                characters.next();
            }
            _ => plain.push(character),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_forms_are_read() {
        let text = "# c\n\nA=1\nexport B = two words \nC='a\\n'\nD=\"x\\\"y\\n\\q\"\nE=\nF=a=b\n";
        let read = parse(text).unwrap();
        let expected = [("A", "1"), ("B", "two words"), ("C", "a\\n"), ("D", "x\"y\n\\q"), ("E", ""), ("F", "a=b")];
        assert_eq!(read, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
        assert_eq!(parse("A=1\nnonsense"), Err(2));
        assert_eq!(parse("A=1\n=x"), Err(2));
        assert_eq!(unquote("\""), "\"");
    }
}
