//! Whose code a file is.

use std::path::Path;

use super::Hello;

/// Packages that are never the user's: they run the program's tasks or are part of the debugger.
const PLUMBING: [&str; 4] = ["asyncio", "uvloop", "debugpy", "pydevd"];

/// Decides whether a file is the user's, by where this interpreter keeps its own files and installed packages.
#[derive(Clone, Debug, Default)]
pub(crate) struct UserCode {
    standard: Vec<String>,
    packages: Vec<String>,
    just_my_code: bool,
}

impl UserCode {
    /// As the interpreter says. With `just_my_code` installed packages are not the user's.
    pub(crate) fn new(hello: &Hello, just_my_code: bool) -> Self {
        Self { standard: hello.standard.clone(), packages: hello.packages.clone(), just_my_code }
    }

    /// Whether a file, as code objects name it, is the user's. Packages lie inside of the standard library's folder.
    pub(crate) fn is_user(&self, file: &str) -> bool {
        if file.starts_with("<frozen ") || file.is_empty() {
            return false;
        }
        match self.packages.iter().find_map(|folder| inside(file, folder)) {
            Some(package) => !self.just_my_code && !is_plumbing(package),
            None => !self.standard.iter().any(|folder| inside(file, folder).is_some()),
        }
    }
}

/// The path of a file from a folder that it is in.
fn inside<'a>(file: &'a str, folder: &str) -> Option<&'a Path> {
    Path::new(file).strip_prefix(folder).ok().filter(|_| !folder.is_empty())
}

fn is_plumbing(package: &Path) -> bool {
    let first = package.components().next().map(|part| part.as_os_str().to_string_lossy());
    first.is_some_and(|first| PLUMBING.contains(&first.as_ref()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interpreters_and_installed_files_are_not_the_users() {
        let mut code = UserCode {
            standard: vec!["/usr/lib/python3.11".into()],
            packages: vec!["/usr/lib/python3.11/site-packages".into()],
            just_my_code: true,
        };
        let all = |code: &UserCode| {
            [
                "/home/me/app.py",
                "<string>",
                "/usr/lib/python3.11/asyncio/tasks.py",
                "/usr/lib/python3.11/site-packages/aiohttp/web.py",
                "/usr/lib/python3.11/site-packages/uvloop/__init__.py",
                "<frozen _weft.link>",
                "",
            ]
            .map(|file| code.is_user(file))
        };
        assert_eq!(all(&code), [true, true, false, false, false, false, false]);
        code.just_my_code = false;
        assert_eq!(all(&code), [true, true, false, true, false, false, false]);
    }
}
