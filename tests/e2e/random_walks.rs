//! Random steps through random programs; `cargo xtask walks` takes many more.

use weft_tests::programs::Profile;
use weft_tests::random::{Registers, programs, walk};

/// What the programs follow from.
const SEEDS: [u64; 4] = [1, 2, 3, 4];

/// Walks through each program.
const WALKS: u64 = 3;

fn walks(profile: Profile, registers: Registers) {
    let programs = programs(&SEEDS, profile);
    let walks = programs.iter().flat_map(|program| (0..WALKS).map(move |seed| (program, seed)));
    let stops: usize = walks.map(|(program, seed)| walk(program, profile, seed, registers)).sum();
    assert!(stops > 60, "{stops} stops");
}

#[test]
fn go_where_the_program_went() {
    walks(Profile::Debug, Registers::Free);
}

#[test]
fn go_there_without_a_debug_register() {
    walks(Profile::Debug, Registers::Taken);
}

#[test]
fn keep_to_the_task_in_optimised_code() {
    walks(Profile::Release, Registers::Free);
}
