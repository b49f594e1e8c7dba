//! The code of a live process beside the files that it is from.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;

/// Every executable page that is mapped from a file has that file's bytes. Gives the number of bytes that were compared.
pub fn check_unchanged(pid: i32) -> usize {
    let maps = fs::read_to_string(format!("/proc/{pid}/maps")).expect("its mappings");
    let memory = File::open(format!("/proc/{pid}/mem")).expect("its memory");
    let mut compared = 0;
    for line in maps.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [range, rights, offset, _, _, path] = words[..] else { continue };
        if !rights.contains('x') || !path.starts_with('/') {
            continue;
        }
        let number = |text| u64::from_str_radix(text, 16).expect("a number");
        let (start, end) = range.split_once('-').map(|(start, end)| (number(start), number(end))).expect("a range");
        let mut mapped = vec![0; usize::try_from(end - start).expect("small")];
        memory.read_exact_at(&mut mapped, start).expect("mapped code can be read");
        let mut filed = vec![0; mapped.len()];
        let file = File::open(path).expect("the file is still there");
        let length = read_up_to(&file, &mut filed, number(offset));
        let differs = mapped.iter().zip(&filed[..length]).position(|(one, other)| one != other);
        assert_eq!(differs.map(|at| format!("{path} at {:#x}: {:#x}", start + at as u64, mapped[at])), None);
        compared += length;
    }
    compared
}

/// The last page of a mapping may go beyond its file.
fn read_up_to(file: &File, into: &mut [u8], offset: u64) -> usize {
    let mut done = 0;
    while done < into.len() {
        match file.read_at(&mut into[done..], offset + done as u64).expect("a readable file") {
            0 => break,
            length => done += length,
        }
    }
    done
}
