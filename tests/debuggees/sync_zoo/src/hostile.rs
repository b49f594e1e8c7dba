//! Memory that is not what its type says. Nothing here is ever used, only looked at.

use std::cell::RefCell;
use std::mem::{ManuallyDrop, MaybeUninit, transmute};
use std::rc::Rc;

#[derive(Clone, Copy)]
#[repr(u8)]
enum Small {
    One = 1,
    Two = 2,
}

struct Ring {
    number: u32,
    next: RefCell<Option<Rc<Ring>>>,
}

/// A vector's three words, in whatever order.
type Words = [usize; 3];

pub(crate) fn all() {
    let ring = Rc::new(Ring { number: 1, next: RefCell::new(None) });
    *ring.next.borrow_mut() = Some(Rc::new(Ring { number: 2, next: RefCell::new(Some(ring.clone())) }));
    let nowhere: Words = [16; 3];
    let everywhere: Words = [usize::MAX >> 1; 3];
    // SAFETY: none; the values are wrong on purpose, never dropped and never used.
    unsafe {
        let dangling: ManuallyDrop<Vec<u64>> = transmute(nowhere);
        let endless: ManuallyDrop<Vec<u64>> = transmute(everywhere);
        let endless_text: ManuallyDrop<String> = transmute(everywhere);
        let mut tag = MaybeUninit::<Small>::uninit();
        tag.as_mut_ptr().cast::<u8>().write(77);
        let mut letter = MaybeUninit::<char>::uninit();
        letter.as_mut_ptr().cast::<u32>().write(0x0011_0001);
        let mut truth = MaybeUninit::<bool>::uninit();
        truth.as_mut_ptr().cast::<u8>().write(5);
        let bytes = ManuallyDrop::new(String::from_utf8_unchecked(vec![b'a', 0xff, b'b']));
        let wild = 0xdead_beef_usize as *const Ring;
        look(&ring, &dangling, &endless, &endless_text, &tag, &letter, &truth, &bytes, wild);
    }
}

#[inline(never)]
#[allow(clippy::too_many_arguments, reason = "each is something to look at")]
fn look(
    ring: &Rc<Ring>,
    dangling: &ManuallyDrop<Vec<u64>>,
    endless: &ManuallyDrop<Vec<u64>>,
    endless_text: &ManuallyDrop<String>,
    tag: &MaybeUninit<Small>,
    letter: &MaybeUninit<char>,
    truth: &MaybeUninit<bool>,
    bytes: &ManuallyDrop<String>,
    wild: *const Ring,
) {
    let kinds = [Small::One, Small::Two];
    println!("{} {}", ring.number, kinds.len()); // BP: hostile
    let _ = (dangling, endless, endless_text, tag, letter, truth, bytes, wild, &ring.next);
}
