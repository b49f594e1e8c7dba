//! Pseudo-terminals: what a program writes to when it is to believe that a user watches.

use std::{
    fs::File,
    io::{self, Read},
    os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd},
    ptr,
};

use crate::ProcessError;

/// Lines and columns of a new terminal: what programs assume of one that does not say.
const SIZE: libc::winsize = libc::winsize { ws_row: 24, ws_col: 80, ws_xpixel: 0, ws_ypixel: 0 };

/// A new terminal: our end, and the end that a program writes to. What is written comes out as it is, without a carriage
/// return before each line feed. Neither end is inherited across an exec, and the terminal controls nobody.
pub(crate) fn open() -> Result<(OwnedFd, OwnedFd), ProcessError> {
    let (mut ours, mut programs): (RawFd, RawFd) = (-1, -1);
    // SAFETY: openpty writes two descriptors and reads the size; no name and no settings are passed.
    if unsafe { libc::openpty(&mut ours, &mut programs, ptr::null_mut(), ptr::null(), &SIZE) } != 0 {
        return Err(ProcessError::last("cannot make a terminal for the program"));
    }
    // SAFETY: both descriptors were just made and belong to nobody else.
    let (ours, programs) = unsafe { (OwnedFd::from_raw_fd(ours), OwnedFd::from_raw_fd(programs)) };
    for fd in [&ours, &programs] {
        // SAFETY: sets a flag of a descriptor of ours.
        if unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_SETFD, libc::FD_CLOEXEC) } != 0 {
            return Err(ProcessError::last("cannot make a terminal for the program"));
        }
    }
    // SAFETY: termios is plain data; both calls read or write one of ours.
    let raw = unsafe {
        let mut settings: libc::termios = std::mem::zeroed();
        libc::tcgetattr(programs.as_raw_fd(), &mut settings) == 0 && {
            settings.c_oflag &= !libc::OPOST;
            settings.c_lflag &= !libc::ECHO;
            libc::tcsetattr(programs.as_raw_fd(), libc::TCSANOW, &settings) == 0
        }
    };
    if raw { Ok((ours, programs)) } else { Err(ProcessError::last("cannot set a terminal up for the program")) }
}

/// Our end of a program's standard output or error.
#[derive(Debug)]
pub struct OutputEnd(File);

impl OutputEnd {
    pub(crate) fn new(fd: OwnedFd) -> Self {
        Self(fd.into())
    }
}

impl Read for OutputEnd {
    /// As a pipe's end: zero bytes once everybody who could write has closed it and all is read. (A terminal says that
    /// with `EIO`.)
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.0.read(buffer) {
            Err(error) if error.raw_os_error() == Some(libc::EIO) => Ok(0),
            other => other,
        }
    }
}

impl From<OutputEnd> for OwnedFd {
    fn from(end: OutputEnd) -> Self {
        end.0.into()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn what_is_written_comes_out_as_it_is_and_ends() {
        let (ours, programs) = open().unwrap();
        // SAFETY: asks about a descriptor.
        assert_eq!(unsafe { libc::isatty(programs.as_raw_fd()) }, 1);
        let mut programs = File::from(programs);
        programs.write_all(b"one\ntwo\tthree\n").unwrap();
        drop(programs);
        let mut all = Vec::new();
        OutputEnd::new(ours).read_to_end(&mut all).unwrap();
        assert_eq!(String::from_utf8_lossy(&all), "one\ntwo\tthree\n");
    }
}
