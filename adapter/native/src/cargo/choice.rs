//! Which of the programs that cargo has built is meant.

use std::path::PathBuf;

use weft_session::config::CargoFilter;

/// The kinds of library that there are, besides `lib` itself.
const LIBRARIES: [&str; 5] = ["rlib", "dylib", "cdylib", "staticlib", "proc-macro"];

/// A program that cargo has built.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Candidate {
    /// Its target's name.
    pub(super) name: String,
    /// Its target's kinds: `bin`, or several of a library (`lib`, `cdylib`).
    pub(super) kinds: Vec<String>,
    /// Whether it is built with the test harness.
    pub(super) is_test: bool,
    pub(super) program: PathBuf,
    /// The folder of its package.
    pub(super) package: Option<PathBuf>,
}

impl Candidate {
    fn fits(&self, filter: &CargoFilter) -> bool {
        let named = |name: &String| *name == self.name;
        filter.name.as_ref().is_none_or(named) && filter.kind.as_ref().is_none_or(|kind| self.is_of(kind))
    }

    /// Whether its target is of a kind; every library is a `lib`, as it is for cargo's `--lib`.
    fn is_of(&self, kind: &str) -> bool {
        self.kinds.iter().any(|own| own == kind || kind == "lib" && LIBRARIES.contains(&own.as_str()))
    }

    fn kind(&self) -> &str {
        self.kinds.first().map_or("unknown", String::as_str)
    }

    /// `server` (bin), or what its tests are those of.
    fn described(&self) -> String {
        let kind = self.kind();
        match self.is_test && kind != "test" && kind != "bench" {
            true => format!("`{}` (tests of the {kind})", self.name),
            false => format!("`{}` ({kind})", self.name),
        }
    }
}

/// The one that is meant. The error goes on from the command's name, and says what to write.
pub(super) fn choose<'a>(built: &'a [Candidate], filter: &CargoFilter, tests: bool) -> Result<&'a Candidate, String> {
    // Integration tests have the package's programs built, too, which nobody asked for.
    let mut all: Vec<&Candidate> = built.iter().filter(|candidate| !tests || candidate.is_test).collect();
    // cargo tells in the order in which they were done, and of some twice.
    all.sort_by_key(|candidate| (&candidate.name, &candidate.kinds, &candidate.program));
    all.dedup_by(|one, other| one.program == other.program);
    let fitting: Vec<&Candidate> = all.iter().copied().filter(|candidate| candidate.fits(filter)).collect();
    match (fitting.as_slice(), all.as_slice()) {
        ([one], _) => Ok(one),
        ([], []) => Err("built no program: name one in `cargo.args` (`--bin`, `--example`, `--test`), or the package that has one (`--package`)"
            .to_owned()),
        ([], _) => Err(format!("built nothing that `cargo.filter` lets through, only {}", list(&all))),
        _ => Err(format!("built several programs: {}. {}", list(&fitting), advice(&fitting))),
    }
}

/// What to write to have one of several. A filter parts neither a program from its tests nor packages from each other.
fn advice(several: &[&Candidate]) -> String {
    let alike = |one: &Candidate, other: &Candidate| one.name == other.name && other.is_of(one.kind());
    let apart = several.iter().find(|one| several.iter().filter(|other| alike(one, other)).count() == 1);
    let Some(one) = apart else {
        let tests = several.iter().any(|one| one.is_test) && several.iter().any(|one| !one.is_test);
        return match tests {
            true => "In `cargo.args`, write `test` instead of `build` for the tests, or leave out `--tests`, `--benches` and \
                     `--all-targets` for the program itself",
            false => "Say whose it is with `--package` in `cargo.args`",
        }
        .to_owned();
    };
    format!("Say which one with `cargo.filter`, such as {{\"name\": \"{}\", \"kind\": \"{}\"}}", one.name, one.kind())
}

fn list(candidates: &[&Candidate]) -> String {
    candidates.iter().map(|candidate| candidate.described()).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidate(name: &str, kind: &str, is_test: bool) -> Candidate {
        let program = PathBuf::from(format!("/target/{name}-{kind}-{is_test}"));
        Candidate { name: name.to_owned(), kinds: vec![kind.to_owned()], is_test, program, package: None }
    }

    fn filter(name: Option<&str>, kind: Option<&str>) -> CargoFilter {
        CargoFilter { name: name.map(str::to_owned), kind: kind.map(str::to_owned) }
    }

    #[test]
    fn the_only_one_that_fits_is_meant() {
        let built =
            [candidate("server", "bin", false), candidate("client", "bin", false), candidate("x", "example", false)];
        let chosen = |filter| choose(&built, &filter, false).map(|chosen| chosen.name.clone());
        assert_eq!(chosen(filter(Some("client"), None)), Ok("client".to_owned()));
        assert_eq!(chosen(filter(None, Some("example"))), Ok("x".to_owned()));
        assert_eq!(
            chosen(filter(None, Some("bin"))).unwrap_err(),
            "built several programs: `client` (bin), `server` (bin). Say which one with `cargo.filter`, such as {\"name\": \
             \"client\", \"kind\": \"bin\"}"
        );
        assert_eq!(
            chosen(filter(Some("y"), None)).unwrap_err(),
            "built nothing that `cargo.filter` lets through, only `client` (bin), `server` (bin), `x` (example)"
        );
        assert!(choose(&[], &filter(None, None), false).unwrap_err().starts_with("built no program: name one"));
    }

    #[test]
    fn a_library_of_any_kind_is_a_library() {
        for kind in ["lib", "rlib", "dylib", "cdylib", "staticlib", "proc-macro"] {
            let built = [candidate("shop", kind, true), candidate("shop", "bin", true)];
            let chosen = |wanted| choose(&built, &filter(Some("shop"), Some(wanted)), true).map(Candidate::kind);
            assert_eq!((chosen("lib"), chosen(kind), chosen("bin")), (Ok(kind), Ok(kind), Ok("bin")));
        }
        let example = [candidate("shop", "example", false)];
        assert!(choose(&example, &filter(None, Some("lib")), false).is_err());
    }

    #[test]
    fn of_tests_only_tests_are_meant() {
        let built = [candidate("app", "bin", false), candidate("app", "bin", true), candidate("it", "test", true)];
        let chosen = |filter| choose(&built, &filter, true).map(|chosen| (chosen.name.as_str(), chosen.is_test));
        assert_eq!(chosen(filter(None, Some("bin"))), Ok(("app", true)));
        let error = chosen(filter(None, None)).unwrap_err();
        assert!(error.starts_with("built several programs: `app` (tests of the bin), `it` (test). Say"), "{error}");
        let unparted =
            "built several programs: `app` (bin), `app` (tests of the bin). In `cargo.args`, write `test` instead of";
        let error = choose(&built, &filter(Some("app"), None), false).unwrap_err();
        assert!(error.starts_with(unparted), "{error}");
        let others = Candidate { program: PathBuf::from("/target/other"), ..candidate("it", "test", true) };
        let expected =
            "built several programs: `it` (test), `it` (test). Say whose it is with `--package` in `cargo.args`";
        let packages = [candidate("it", "test", true), others];
        assert_eq!(choose(&packages, &filter(Some("it"), None), true).unwrap_err(), expected);
        let twice = [candidate("it", "test", true), candidate("it", "test", true)];
        assert_eq!(choose(&twice, &filter(None, None), true).map(|chosen| chosen.name.as_str()), Ok("it"));
    }
}
