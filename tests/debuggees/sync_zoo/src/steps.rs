//! Code to step through; the tests know it by its markers.

pub(crate) fn all() {
    let first = plain(2); // BP: start
    let second = branches(first); // BP: second
    let third = factorial(4); // BP: third
    let fourth = mapped(&[1, 2, 3]); // BP: fourth
    finish(first + second + third + fourth); // BP: fifth
} // BP: end of all

#[inline(never)]
fn plain(input: u64) -> u64 {
    let doubled = input * 2; // BP: plain first
    let more = doubled + 1; // BP: plain second
    more // BP: plain last
} // BP: plain end

#[inline(never)]
fn branches(input: u64) -> u64 {
    let mut result = 0; // BP: branches first
    if input > 100 {
        // BP: branches if
        result += 100; // BP: branches not taken
    } else {
        result += 1; // BP: branches taken
    }
    for turn in 0..2 {
        // BP: branches for
        result += turn; // BP: branches body
    }
    result // BP: branches last
} // BP: branches end

#[inline(never)]
fn factorial(number: u64) -> u64 {
    if number <= 1 {
        // BP: factorial first
        return 1; // BP: factorial base
    }
    let below = factorial(number - 1); // BP: factorial call
    number * below // BP: factorial last
} // BP: factorial end

#[inline(never)]
fn mapped(numbers: &[u64]) -> u64 {
    let doubled = numbers.iter().map(|number| {
        number * 2 // BP: in closure
    });
    doubled.sum() // BP: mapped last
} // BP: mapped end

#[inline(never)]
fn finish(total: u64) {
    // A breakpoint on this comment moves to the next line with code. // BP: no code here
    println!("total {total}"); // BP: finish
}
