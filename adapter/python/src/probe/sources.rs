//! The probe's own files, in the order in which they are made modules of.

/// Connects, and makes the others.
pub(super) const BOOT: &str = include_str!("boot.py");

/// Name and source; each leans on those before it.
pub(super) const MODULES: &[(&str, &str)] = &[
    ("link", include_str!("link.py")),
    ("objects", include_str!("objects.py")),
    ("roster", include_str!("roster.py")),
    ("tracers", include_str!("tracers.py")),
    ("chains", include_str!("chains.py")),
    ("waits", include_str!("waits.py")),
    ("recognisers", include_str!("recognisers.py")),
    ("holds", include_str!("holds.py")),
    ("places", include_str!("places.py")),
    ("listing", include_str!("listing.py")),
    ("workers", include_str!("workers.py")),
    ("values", include_str!("values.py")),
    ("awaits", include_str!("awaits.py")),
    ("stacks", include_str!("stacks.py")),
    ("physical", include_str!("physical.py")),
    ("changes", include_str!("changes.py")),
    ("completions", include_str!("completions.py")),
    ("creation", include_str!("creation.py")),
    ("notices", include_str!("notices.py")),
    ("foreign", include_str!("foreign.py")),
    ("breaks", include_str!("breaks.py")),
    ("repairs", include_str!("repairs.py")),
    ("terms", include_str!("terms.py")),
    ("targets", include_str!("targets.py")),
    ("exits", include_str!("exits.py")),
    ("awaiters", include_str!("awaiters.py")),
    ("step", include_str!("step.py")),
    ("follower", include_str!("follower.py")),
    ("steps", include_str!("steps.py")),
    ("filters", include_str!("filters.py")),
    ("failures", include_str!("failures.py")),
    ("watches", include_str!("watches.py")),
    ("runs", include_str!("runs.py")),
    ("start", include_str!("start.py")),
];
