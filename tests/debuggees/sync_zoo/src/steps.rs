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
    more + input - input // BP: plain last
} // BP: plain end

#[inline(never)]
fn branches(input: u64) -> u64 {
    let mut result = 0; // BP: branches first
    let large = input > 100; // BP: branches test
    // BP: branches if
    if large {
        result += 100; // BP: branches not taken
    } else {
        result += 1; // BP: branches taken
    }
    let mut turn = 0; // BP: branches before loop
    // BP: branches while
    while turn < 2 {
        result += turn; // BP: branches body
        turn += 1; // BP: branches count
    }
    result + input - input // BP: branches last
} // BP: branches end

#[inline(never)]
fn factorial(number: u64) -> u64 {
    let last = number <= 1; // BP: factorial first
    // BP: factorial if
    if last {
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
