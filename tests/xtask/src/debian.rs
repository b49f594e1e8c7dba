//! Compilers that Debian packages, unpacked below the target folder and never installed.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::stage::target;

const SERVER: &str = "http://deb.debian.org";

/// A compiler, and the version of Tokio that it is to build.
struct Compiler {
    /// Where its packages are looked for, in this order: archive and suite.
    suites: &'static [(&'static str, &'static str)],
    package: &'static str,
    tokio: &'static str,
}

const BOOKWORM: (&str, &str) = ("debian", "bookworm");
const COMPILERS: [Compiler; 5] = [
    Compiler { suites: &[BOOKWORM], package: "rustc", tokio: "1.38" },
    Compiler { suites: &[BOOKWORM], package: "rustc-web", tokio: "1.54" },
    Compiler { suites: &[("debian-security", "bookworm-security"), BOOKWORM], package: "rustc-web", tokio: "1.54" },
    Compiler { suites: &[("debian", "trixie")], package: "rustc", tokio: "1.54" },
    Compiler { suites: &[("debian", "sid")], package: "rustc", tokio: "1.54" },
];

/// What compilers need of their dependencies to run: libraries. The linker is the machine's.
const LEFT_OUT: [&str; 5] = ["gcc", "libc-dev", "libc6-dev", "binutils", "gcc-14-base"];

/// Fetches and unpacks all that can be had: a line for each, `name<TAB>version of Tokio<TAB>path of rustc`.
pub(crate) fn compilers() -> String {
    let mut lines = String::new();
    for compiler in &COMPILERS {
        let (_, suite) = compiler.suites[0];
        match fetch(compiler) {
            Ok((version, rustc)) => {
                lines += &format!("{suite}, {} {version}\t{}\t{}\n", compiler.package, compiler.tokio, rustc.display());
            }
            Err(why) => println!("{} of {suite} is left out: {why}", compiler.package),
        }
    }
    lines
}

/// A package as an index describes it.
#[derive(Clone)]
struct Package {
    version: String,
    url: String,
    depends: Vec<String>,
}

fn fetch(compiler: &Compiler) -> Result<(String, PathBuf), String> {
    let (_, suite) = compiler.suites[0];
    let root = target().join("tools/debian").join(format!("{suite}-{}", compiler.package));
    let mut packages: HashMap<String, Package> = HashMap::new();
    for (archive, suite) in compiler.suites {
        for (name, package) in index(archive, suite)? {
            packages.entry(name).or_insert(package);
        }
    }
    let version = packages.get(compiler.package).ok_or("there is no such package")?.version.clone();
    let script = root.join("rustc");
    if !script.is_file() {
        unpack(&packages, compiler.package, &root)?;
        write_script(&root, &script).map_err(|error| error.to_string())?;
    }
    let answers = Command::new(&script).arg("--version").output().map_err(|error| error.to_string())?;
    if !answers.status.success() {
        return Err(String::from_utf8_lossy(&answers.stderr).trim().to_owned());
    }
    Ok((version.split(['+', '-']).next().unwrap_or(&version).to_owned(), script))
}

fn run(program: &str, arguments: &[&str]) -> Result<Vec<u8>, String> {
    let output = Command::new(program).args(arguments).output().map_err(|error| format!("{program}: {error}"))?;
    if output.status.success() {
        Ok(output.stdout)
    } else {
        Err(format!("{program} {}: {}", arguments.join(" "), String::from_utf8_lossy(&output.stderr).trim()))
    }
}

fn download(url: &str, to: &Path) -> Result<(), String> {
    run("curl", &["--fail", "--silent", "--show-error", "--location", "--output", &to.display().to_string(), url])
        .map(drop)
}

/// The packages of a suite, by name.
fn index(archive: &str, suite: &str) -> Result<HashMap<String, Package>, String> {
    let folder = target().join("tools/debian");
    fs::create_dir_all(&folder).map_err(|error| error.to_string())?;
    let packed = folder.join(format!("{suite}.xz"));
    download(&format!("{SERVER}/{archive}/dists/{suite}/main/binary-amd64/Packages.xz"), &packed)?;
    let text =
        String::from_utf8_lossy(&run("xz", &["--decompress", "--stdout", &packed.display().to_string()])?).into_owned();
    Ok(text.split("\n\n").filter_map(|entry| package(archive, entry)).collect())
}

fn package(archive: &str, entry: &str) -> Option<(String, Package)> {
    let field = |name: &str| entry.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    // Of alternatives the first; versions are those of the suite.
    let first = |depend: &str| depend.split(['|', '(', ':', ' ']).find(|word| !word.is_empty()).map(str::to_owned);
    let depends = field("Depends").unwrap_or_default().split(',').filter_map(first).collect();
    let url = format!("{SERVER}/{archive}/{}", field("Filename")?);
    Some((field("Package")?.to_owned(), Package { version: field("Version")?.to_owned(), url, depends }))
}

/// Unpacks a package and the libraries that it needs.
fn unpack(packages: &HashMap<String, Package>, wanted: &str, root: &Path) -> Result<(), String> {
    fs::create_dir_all(root).map_err(|error| error.to_string())?;
    let mut seen: HashSet<String> = LEFT_OUT.map(str::to_owned).into();
    let mut left = vec![wanted.to_owned()];
    while let Some(name) = left.pop() {
        // What is only a name for others is none of the libraries.
        let Some(package) = packages.get(&name).filter(|_| seen.insert(name.clone())) else { continue };
        println!("unpacking {name} {}", package.version);
        let file = root.join("package.deb");
        download(&package.url, &file)?;
        run("dpkg-deb", &["--extract", &file.display().to_string(), &root.display().to_string()])?;
        fs::remove_file(&file).map_err(|error| error.to_string())?;
        left.extend(package.depends.iter().cloned());
    }
    Ok(())
}

/// Runs the compiler with the C library that it was built for, and without what a newer cargo says that an older compiler
/// does not understand.
fn write_script(root: &Path, script: &Path) -> std::io::Result<()> {
    let root = root.display();
    let text = format!(
        r#"#!/bin/sh
count=$#
while [ "$count" -gt 0 ]; do
  count=$((count - 1))
  word=$1
  shift
  case "$word" in
    --check-cfg) shift; count=$((count - 1)) ;;
    --check-cfg=*|--print=split-debuginfo|--warn=*|--allow=*|--deny=*|--forbid=*) ;;
    *) set -- "$@" "$word" ;;
  esac
done
libraries="{root}/usr/lib/x86_64-linux-gnu:{root}/lib/x86_64-linux-gnu"
loader="{root}/lib64/ld-linux-x86-64.so.2"
[ -e "$loader" ] || loader="{root}/usr/lib64/ld-linux-x86-64.so.2"
# An older compiler looks for its library beside the program that was started, which is the loader.
exec "$loader" --library-path "$libraries" "{root}/usr/bin/rustc" --sysroot "{root}/usr" "$@"
"#
    );
    fs::write(script, text)?;
    fs::set_permissions(script, fs::Permissions::from_mode(0o755))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_names_its_file_and_what_it_needs() {
        let entry = "Package: rustc\nVersion: 1.63.0+dfsg1-2\nDepends: libc6 (>= 2.34), gcc | clang, libstd:any\n\
                     Filename: pool/main/r/rustc/rustc.deb\n";
        let (name, package) = package("debian", entry).expect("a package");
        assert_eq!((name.as_str(), package.version.as_str()), ("rustc", "1.63.0+dfsg1-2"));
        assert_eq!(package.depends, ["libc6", "gcc", "libstd"]);
        assert_eq!(package.url, "http://deb.debian.org/debian/pool/main/r/rustc/rustc.deb");
    }
}
