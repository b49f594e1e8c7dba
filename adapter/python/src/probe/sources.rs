//! The probe's own files, in the order in which they are made modules of.

/// Connects, and makes the others.
pub(super) const BOOT: &str = include_str!("boot.py");

/// Name and source; each leans on those before it.
pub(super) const MODULES: &[(&str, &str)] = &[
    ("link", include_str!("link.py")),
    ("objects", include_str!("objects.py")),
    ("roster", include_str!("roster.py")),
    ("chains", include_str!("chains.py")),
    ("waits", include_str!("waits.py")),
    ("holds", include_str!("holds.py")),
    ("listing", include_str!("listing.py")),
    ("workers", include_str!("workers.py")),
    ("values", include_str!("values.py")),
    ("stacks", include_str!("stacks.py")),
    ("creation", include_str!("creation.py")),
    ("notices", include_str!("notices.py")),
    ("start", include_str!("start.py")),
];
