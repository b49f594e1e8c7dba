//! Tasks of CPython 3.14 and later, read from outside the process.
