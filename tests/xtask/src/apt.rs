//! Packages of Debian's, fetched by this machine's apt and never installed.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

/// An apt that knows of nothing that is installed here, and asks the mirror that this machine's apt asks.
pub(crate) struct Apt {
    /// Where all of it lies.
    pub(crate) folder: PathBuf,
}

impl Apt {
    /// Fetches packages of a suite, and all that they depend on, into a folder.
    pub(crate) fn fetch(folder: PathBuf, suite: &str, packages: &[&str]) -> Result<Self, String> {
        let apt = Self::prepare(folder, suite)?;
        apt.run(&["update"])?;
        let install = ["install", "--yes", "--no-install-recommends", "--download-only"];
        apt.run(&[&install, packages].concat())?;
        Ok(apt)
    }

    fn prepare(folder: PathBuf, suite: &str) -> Result<Self, String> {
        for part in ["state/lists/partial", "cache/archives/partial"] {
            fs::create_dir_all(folder.join(part)).map_err(|error| error.to_string())?;
        }
        let text = format!("deb {} {suite} main\n", mirror()?);
        let write = |name: &str, text: &str| fs::write(folder.join(name), text).map_err(|error| error.to_string());
        write("sources.list", &text)?;
        write("status", "")?;
        Ok(Self { folder })
    }

    fn run(&self, arguments: &[&str]) -> Result<(), String> {
        let option = |name: &str, part: &str| format!("{name}={}", self.folder.join(part).display());
        let options = [
            option("Dir::Etc::SourceList", "sources.list"),
            "Dir::Etc::SourceParts=/dev/null".to_owned(),
            option("Dir::State", "state"),
            option("Dir::State::status", "status"),
            option("Dir::Cache", "cache"),
            "APT::Architectures=amd64".to_owned(),
        ];
        let options = options.iter().flat_map(|option| ["-o", option]);
        run_quietly(Command::new("apt-get").arg("--quiet").args(options).args(arguments)).map(drop)
    }

    /// Unpacks what was fetched and is wanted, by the package's name.
    pub(crate) fn unpack(&self, wanted: impl Fn(&str) -> bool) -> Result<PathBuf, String> {
        let unpacked = self.folder.join("unpacked");
        let fetched = fs::read_dir(self.folder.join("cache/archives")).map_err(|error| error.to_string())?;
        for package in fetched.flatten().map(|entry| entry.path()).filter(|path| path.is_file()) {
            let name = package.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            let is_wanted = name.split('_').next().is_some_and(&wanted);
            if is_wanted && package.extension().is_some_and(|extension| extension == "deb") {
                run_quietly(Command::new("dpkg-deb").arg("--extract").arg(&package).arg(&unpacked))?;
            }
        }
        Ok(unpacked)
    }
}

/// The address of Debian's packages, as this machine's apt is told.
fn mirror() -> Result<String, String> {
    let targets = ["indextargets", "--format", "$(REPO_URI)", "Identifier: Packages"];
    let said = run_quietly(Command::new("apt-get").args(targets))?;
    let debian = said.lines().find(|line| line.trim_end_matches('/').ends_with("/debian"));
    debian.map(str::to_owned).ok_or_else(|| "this machine's apt knows no mirror of Debian".to_owned())
}

/// What a program said, or why it failed.
pub(crate) fn run_quietly(command: &mut Command) -> Result<String, String> {
    let output = command.output().map_err(|error| format!("{}: {error}", command.get_program().display()))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(format!("{command:?} failed: {}", String::from_utf8_lossy(&output.stderr).trim()))
}
