//! The table of Tokio's versions in docs/compatibility.md, from a run of its test over all of them.

use std::fs;

use crate::debian::compilers;
use crate::stage::{Command, target, workspace};

const BEGIN: &str = "<!-- versions of Tokio: cargo xtask compatibility -->\n";
const END: &str = "<!-- end -->\n";

/// Builds and looks at every cell, and writes the table; whether every cell is as it must be.
pub(crate) fn run() -> bool {
    let table = target().join("compatibility.md");
    let test = ["test", "--quiet", "--locked", "--package", "weft-runtimes", "--test", "live", "--", "compatibility::"];
    let list = target().join("compilers");
    if let Err(error) = fs::write(&list, compilers()) {
        println!("{}: {error}", list.display());
        return false;
    }
    let holds = Command::cargo(&test).env("WEFT_COMPATIBILITY", &table).env("WEFT_COMPILERS", &list).runs();
    holds && write(&table)
}

fn write(table: &std::path::Path) -> bool {
    let page = workspace().join("docs/compatibility.md");
    let written = fs::read_to_string(table).and_then(|table| {
        let text = fs::read_to_string(&page)?;
        match replaced(&text, &table) {
            Some(new) => fs::write(&page, new),
            None => Err(std::io::Error::other(format!("it has no {BEGIN:?} with an {END:?} behind it"))),
        }
    });
    if let Err(error) = &written {
        println!("{}: {error}", page.display());
    }
    written.is_ok()
}

/// The page with this table between its marks.
fn replaced(text: &str, table: &str) -> Option<String> {
    let (before, rest) = text.split_once(BEGIN)?;
    let (_, after) = rest.split_once(END)?;
    Some(format!("{before}{BEGIN}\n{table}\n{END}{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_table_changes() {
        let text = format!("a\n{BEGIN}\n| old |\n\n{END}b\n");
        assert_eq!(replaced(&text, "| new |\n").as_deref(), Some(&*format!("a\n{BEGIN}\n| new |\n\n{END}b\n")));
        assert_eq!(replaced("a", "b"), None);
    }
}
