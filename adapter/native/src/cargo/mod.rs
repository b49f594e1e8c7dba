//! Programs that cargo builds before they are debugged.
//!
//! For: running cargo as a configuration says, telling the user what it and the compiler say, and finding the program among what
//! was built. Not for: anything that is done with that program.
//!
//! **Invariant:** whoever gives the build up, by its progress or by leaving, ends cargo and what cargo has started.

mod choice;
mod command;
mod diagnostic;
mod lines;
mod running;

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use cargo_metadata::{Artifact, Message};
use weft_protocol::{Error, ErrorId};
use weft_session::config::{BUILT_PROGRAM, NativeLaunch};
use weft_session::debuggee::{Answer, Channel, DebuggeeEvent, Work};
use weft_session::{CargoBuild, EventSender, NativeProgram, Waiting};

use choice::Candidate;
use command::Invocation;
use running::{Ended, Said};

/// What may precede a folder that a build script links.
const LINK_KINDS: [&str; 5] = ["dependency", "crate", "native", "framework", "all"];

/// The program of a configuration, which is built first if that is what it says; where the configuration speaks of the built
/// program, its path is put in.
pub(crate) fn program(config: &mut NativeLaunch, events: &EventSender) -> Answer<PathBuf> {
    let build = match &config.program {
        NativeProgram::File(program) => return Ok(program.clone()),
        NativeProgram::Cargo(build) => build,
    };
    let built = run(build, events)?;
    let path = built.program.to_string_lossy().into_owned();
    let start = &mut config.start;
    start.args.iter_mut().for_each(|word| fill(word, &path));
    start.env.iter_mut().filter_map(|(_, value)| value.as_mut()).for_each(|value| fill(value, &path));
    if let Some(stdin) = &mut config.stdin {
        *stdin = PathBuf::from(stdin.to_string_lossy().replace(BUILT_PROGRAM, &path));
    }
    // The user's own come later, and win.
    start.env.splice(0..0, built.env);
    Ok(build.starts.as_ref().map_or(built.program, |text| start.cwd.join(text.replace(BUILT_PROGRAM, &path))))
}

fn fill(text: &mut OsString, path: &str) {
    if let Some(known) = text.to_str().filter(|known| known.contains(BUILT_PROGRAM)) {
        *text = known.replace(BUILT_PROGRAM, path).into();
    }
}

/// What a build has led to.
struct Built {
    program: PathBuf,
    /// What `cargo run` sets for a program that weft's environment does not have.
    env: Vec<(OsString, Option<OsString>)>,
}

/// What is kept of a build while it runs.
#[derive(Default)]
struct Heard {
    candidates: Vec<Candidate>,
    /// Folders of libraries that build scripts have told of.
    libraries: Vec<PathBuf>,
    /// The folder of the toolchain's own libraries.
    toolchains: Option<PathBuf>,
    errors: usize,
    /// The first, with its place.
    first: Option<String>,
    /// What cargo itself calls an error.
    complaint: Option<String>,
}

fn run(build: &CargoBuild, events: &EventSender) -> Answer<Built> {
    let invocation = Invocation::of(&build.args).map_err(|why| Error::new(ErrorId::InvalidConfiguration, why))?;
    let cargo = command::cargo().map_err(|why| Error::new(ErrorId::NotFound, why))?;
    let waiting = Arc::new(Waiting::new(format!("Building: {invocation}")));
    events.work(Arc::clone(&waiting) as Arc<dyn Work>);
    let mut heard = Heard::default();
    let ended = running::run(invocation.command(&cargo, build), &waiting, |said| heard.hear(said, events));
    if matches!(ended, Ok(Ended::Well)) {
        heard.toolchains = asked(invocation.ask_for_libraries(&cargo, build), &waiting);
    }
    waiting.end();
    let ended = if waiting.is_cancelled() { Ok(Ended::GivenUp) } else { ended };
    match ended
        .map_err(|error| Error::new(ErrorId::LaunchFailed, format!("{} cannot be run: {error}", cargo.display())))?
    {
        Ended::Well => heard.built(build, &invocation, &cargo),
        Ended::Badly => Err(Error::new(ErrorId::LaunchFailed, heard.failure(&invocation))),
        Ended::GivenUp => Err(Error::new(ErrorId::Cancelled, format!("`{invocation}` was called off"))),
    }
}

/// The path that a command answers with.
fn asked(command: Command, waiting: &Waiting) -> Option<PathBuf> {
    let mut answer = None;
    let ended = running::run(command, waiting, |said| {
        if let Said::Message(message) = said
            && let Message::TextLine(line) = *message
        {
            answer = Some(PathBuf::from(line));
        }
    });
    answer.filter(|path| matches!(ended, Ok(Ended::Well)) && path.is_absolute())
}

impl Heard {
    fn hear(&mut self, said: Said, events: &EventSender) {
        match said {
            Said::Line(line) => {
                if line.starts_with("error") && self.complaint.is_none() {
                    self.complaint = Some(line.clone());
                }
                say(line, events);
            }
            Said::Message(message) => self.take(*message, events),
        }
    }

    fn take(&mut self, message: Message, events: &EventSender) {
        match message {
            Message::CompilerMessage(told) => {
                let at = diagnostic::place(&told);
                if diagnostic::is_error(&told) {
                    self.errors = self.errors.saturating_add(1);
                    self.first.get_or_insert_with(|| diagnostic::sentence(&told, at.as_ref()));
                }
                events.log(diagnostic::text(&told), at);
            }
            Message::CompilerArtifact(artifact) => self.candidates.extend(candidate(&artifact)),
            Message::BuildScriptExecuted(script) => {
                self.libraries.extend(script.linked_paths.iter().map(|path| linked(path.as_str())));
            }
            Message::TextLine(line) => say(line, events),
            _ => {}
        }
    }

    /// Why there is no program.
    fn failure(self, invocation: &Invocation) -> String {
        let errors = if self.errors == 1 { "1 error".to_owned() } else { format!("{} errors", self.errors) };
        match (self.first, self.complaint) {
            (Some(first), _) if self.errors == 1 => format!("`{invocation}` failed: {first}"),
            (Some(first), _) => format!("`{invocation}` failed with {errors}, of which the first is: {first}"),
            (None, Some(complaint)) => format!("`{invocation}` failed: {}", complaint.trim_start_matches("error: ")),
            (None, None) => format!("`{invocation}` failed: the debug console has what it said"),
        }
    }

    fn built(self, build: &CargoBuild, invocation: &Invocation, cargo: &Path) -> Answer<Built> {
        let chosen = choice::choose(&self.candidates, &build.filter, invocation.builds_tests());
        let chosen =
            chosen.map_err(|why| Error::new(ErrorId::InvalidConfiguration, format!("`{invocation}` {why}")))?;
        let mut env = vec![("CARGO".into(), Some(cargo.into()))];
        env.extend(chosen.package.as_ref().map(|package| ("CARGO_MANIFEST_DIR".into(), Some(package.into()))));
        env.extend(
            library_path(&chosen.program, self.libraries, self.toolchains)
                .map(|path| ("LD_LIBRARY_PATH".into(), Some(path))),
        );
        Ok(Built { program: chosen.program.clone(), env })
    }
}

fn say(line: String, events: &EventSender) {
    events.send(DebuggeeEvent::Console(Channel::Console, line));
}

fn candidate(artifact: &Artifact) -> Option<Candidate> {
    Some(Candidate {
        name: artifact.target.name.clone(),
        kinds: artifact.target.kind.iter().map(ToString::to_string).collect(),
        is_test: artifact.profile.test,
        program: artifact.executable.as_ref()?.clone().into(),
        package: artifact.manifest_path.parent().map(Into::into),
    })
}

/// The folder of what a build script links (`native=/folder`).
fn linked(path: &str) -> PathBuf {
    let folder = path.split_once('=').filter(|(kind, _)| LINK_KINDS.contains(kind)).map(|(_, folder)| folder);
    folder.unwrap_or(path).into()
}

/// Where the program finds its libraries when cargo runs it: in what build scripts have made and linked, beside it, and with the
/// toolchain. A folder elsewhere that a build script has linked is the system's or the user's: the program finds it as it does
/// without cargo.
fn library_path(program: &Path, linked: Vec<PathBuf>, toolchains: Option<PathBuf>) -> Option<OsString> {
    let beside = program.parent()?;
    // Tests lie in `deps`, examples in `examples`.
    let is_inside = matches!(beside.file_name()?.to_str(), Some("deps" | "examples"));
    let output = if is_inside { beside.parent()? } else { beside };
    let made = linked.into_iter().filter(|folder| folder.starts_with(output));
    let known = env::var_os("LD_LIBRARY_PATH").unwrap_or_default();
    let known = env::split_paths(&known).filter(|folder| !folder.as_os_str().is_empty());
    let own = [output.join("deps"), output.to_owned()];
    env::join_paths(made.chain(own).chain(toolchains).chain(known)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(heard: Heard) -> String {
        heard.failure(&Invocation::of(&["build".to_owned()]).unwrap())
    }

    #[test]
    fn a_failure_is_told_by_what_is_known_of_it() {
        let first = || Some("src/main.rs:3: no `x`".to_owned());
        let complaint = || Some("error: no bin target named `y`".to_owned());
        let one = Heard { errors: 1, first: first(), complaint: complaint(), ..Heard::default() };
        assert_eq!(failure(one), "`cargo build` failed: src/main.rs:3: no `x`");
        let two = Heard { errors: 2, first: first(), ..Heard::default() };
        assert_eq!(failure(two), "`cargo build` failed with 2 errors, of which the first is: src/main.rs:3: no `x`");
        let cargos = Heard { complaint: complaint(), ..Heard::default() };
        assert_eq!(failure(cargos), "`cargo build` failed: no bin target named `y`");
        assert_eq!(failure(Heard::default()), "`cargo build` failed: the debug console has what it said");
    }

    #[test]
    fn the_built_programs_path_is_put_in_where_it_is_spoken_of() {
        let mut text = OsString::from("--on=${cargo:program}!");
        fill(&mut text, "/t/x");
        assert_eq!(text, "--on=/t/x!");
        let mut other = OsString::from("${cargo:other}");
        fill(&mut other, "/t/x");
        assert_eq!(other, "${cargo:other}");
    }

    #[test]
    fn libraries_are_looked_for_where_cargo_would() {
        let folders = || {
            let told = ["native=/w/target/debug/build/x/out", "/w/target/debug/a=b", "native=/usr/lib", "/opt/x/lib"];
            told.into_iter().map(linked).collect::<Vec<_>>()
        };
        for program in ["/w/target/debug/shop", "/w/target/debug/deps/shop-1", "/w/target/debug/examples/tour"] {
            let path = library_path(Path::new(program), folders(), Some("/rust/lib".into())).unwrap();
            let first: Vec<PathBuf> = env::split_paths(&path).take(5).collect();
            let target = Path::new("/w/target/debug");
            let made = ["build/x/out", "a=b", "deps", ""].map(|folder| target.join(folder));
            assert_eq!((&first[..4], &first[4]), (&made[..], &PathBuf::from("/rust/lib")));
        }
    }
}
