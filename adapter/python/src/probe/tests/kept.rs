//! The probe's compiled code, as one program keeps it for the next.

use weft_tests::python::interpreters;

use crate::probe::sources::BOOT;

/// Defines what `boot.py` defines, and says what comes out of it: the value in the code that is returned, and the files there are.
const SCRIPT: &str = "
import os, sys
boot, folder = sys.argv[1:]
names = {'weft': ()}
try:
    exec(boot, names)
except TypeError:
    pass
kept = os.path.join(folder, 'probe')
def said(value, kept=kept):
    (code,) = names['compiled']([['one', f'value = {value}']], kept)
    result = {}
    exec(code, result)
    print(result['value'], code.co_filename, len(os.listdir(folder)))
os.chdir(folder)
said(1, None)
said(2)
said(3)
(file,) = os.listdir(folder)
with open(file, 'r+b') as stream:
    stream.truncate(5)
said(4)
said(5)
with open(file, 'rb') as stream:
    damaged = stream.read().replace(b'value', b'other')
with open(file, 'wb') as stream:
    stream.write(damaged)
said(6)
said(7)
os.chmod(file, 0o622)
said(8)
said(9)
print(len(names['compiled']([['one', ''], ['two', '']], kept)), oct(os.stat(file).st_mode & 0o777), len(os.listdir(folder)))
said(10, os.path.join(folder, 'missing', 'probe'))
";

#[test]
fn code_is_compiled_once_and_again_when_the_file_is_not_what_was_kept() {
    for python in interpreters() {
        let folder = tempfile::tempdir().unwrap();
        let mut command = std::process::Command::new(&python.path);
        let output = command.args(["-c", SCRIPT, BOOT]).arg(folder.path()).output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        let lines: Vec<&str> = said.lines().collect();
        let file = "<frozen _weft.one>";
        let wanted = [(1, 0), (2, 1), (2, 1), (4, 1), (4, 1), (6, 1), (6, 1), (8, 1), (8, 1), (10, 1)];
        let mut wanted: Vec<String> = wanted.iter().map(|(value, files)| format!("{value} {file} {files}")).collect();
        // Not what was kept of one module.
        wanted.insert(9, "2 0o600 1".to_owned());
        assert_eq!(lines, wanted, "{}: {}", python.version, String::from_utf8_lossy(&output.stderr));
    }
}
