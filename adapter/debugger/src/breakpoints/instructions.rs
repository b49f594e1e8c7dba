//! Breakpoints on single instructions.

use weft_memory::MemAddr;
use weft_symbols::Modules;

use super::landing::Settled;

/// Where in the program's files an instruction lies. A trap in the middle of one would make another of it, and one
/// outside of code would change data: there is none then.
pub(super) fn settle(address: MemAddr, modules: &Modules) -> Settled {
    let refused = |sentence: String| Settled { remark: Some(sentence), ..Settled::default() };
    let Some((module, at)) = modules.to_file(address) else {
        return refused(format!("{address} is not in a file that is loaded now"));
    };
    let code = module.image.segments().iter().find(|segment| segment.addresses.contains(&at));
    if !code.is_some_and(|segment| segment.executable) {
        return refused(format!("there is no code at {address}"));
    }
    let starts = module.image.begins_instruction(at);
    if starts == Some(false) {
        return refused(format!("no instruction begins at {address}"));
    }
    Settled {
        at: module.image.line_at(at).ok().flatten().filter(|at| at.line > 0),
        locations: vec![(module.image.clone(), at)],
        remark: starts
            .is_none()
            .then(|| format!("nothing says whether an instruction begins at {address}: no function is known there")),
        similar: None,
    }
}
