//! Values of the standard library's types, and of every layout that an enum can have; printed as `values.rs` does.
#![allow(dead_code)]

use std::alloc::Layout;
use std::any::TypeId;
use std::borrow::Cow;
use std::cell::{Cell, LazyCell, OnceCell, RefCell, UnsafeCell};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, HashMap, HashSet, LinkedList, VecDeque};
use std::convert::Infallible;
use std::fmt::Debug;
use std::io::Read;
use std::marker::PhantomData;
use std::mem::{ManuallyDrop, MaybeUninit};
use std::num::{NonZeroI32, Saturating, Wrapping};
use std::ops::{Bound, ControlFlow};
use std::rc::Rc;
use std::sync::atomic::{AtomicI64, AtomicPtr};
use std::sync::{Arc, Barrier, Condvar, LazyLock, Mutex, Once, OnceLock, RwLock, mpsc};
use std::task::{Poll, Waker};
use std::time::{Duration, SystemTime};

#[inline(never)]
fn show<T>(value: &T, name: &str, expected: &str) {
    println!("{:#x}\t{:p}\t{}\t{}", show::<T> as *const () as usize, value, name, expected);
}

/// Expected: what `{:?}` writes.
macro_rules! debug {
    ($($name:ident = $value:expr;)*) => { $(
        let $name = $value;
        show(&$name, stringify!($name), &format!("{:?}", $name));
    )* };
}

/// Expected: the text given.
macro_rules! form {
    ($($name:ident = $value:expr => $text:expr;)*) => { $(
        let $name = $value;
        show(&$name, stringify!($name), $text.as_ref());
    )* };
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Point {
    x: i32,
    y: i32,
}
#[derive(Debug)]
enum Never {}
#[derive(Debug)]
enum One {
    Only(u8, u16),
}
#[derive(Debug)]
enum OneUnit {
    Only,
}
#[derive(Debug)]
enum Text {
    A(u32),
    B { name: String },
    C,
    D(u8, u8),
}
#[derive(Debug)]
enum Kept {
    A,
    B,
    C(u8, Never),
}
#[derive(Debug)]
enum KeptZero {
    A(u32),
    B(Never, Never),
    C(Infallible),
}
#[derive(Debug, Clone, Copy)]
#[repr(u128)]
enum Wide {
    Low = 1,
    High = 1 << 127,
}
#[derive(Debug, Clone, Copy)]
#[repr(i128)]
enum WideSigned {
    Low = i128::MIN,
    Zero = 0,
}
#[derive(Debug)]
#[repr(u128)]
enum WideData {
    Small(u8) = 7,
    Huge { x: u64 } = u128::MAX,
}
#[derive(Debug)]
#[repr(i8)]
enum Tagged {
    Minus(u32) = -5,
    Zero = 0,
}
#[derive(Debug)]
struct Tail<T: ?Sized> {
    head: u8,
    rest: T,
}
#[derive(Debug)]
struct Nothing;
#[derive(Debug)]
struct Phantom<T> {
    marker: PhantomData<T>,
}
trait Speak: Debug {
    fn speak(&self) -> u8;
}
#[derive(Debug)]
struct Dog {
    age: u8,
}
impl Speak for Dog {
    fn speak(&self) -> u8 {
        self.age
    }
}
#[derive(Clone, Copy)]
union Overlaid {
    int: u32,
    bytes: [u8; 4],
}

/// Points at itself.
struct Selfish {
    own: *const Selfish,
    value: u8,
}

/// Woken by nobody.
struct Alarm {
    rings: u8,
}
impl std::task::Wake for Alarm {
    fn wake(self: Arc<Self>) {}
}

/// A cycle of `Rc`.
struct Ring {
    value: u8,
    next: RefCell<Option<Rc<Ring>>>,
}

fn double(x: u32) -> u32 {
    x * 2
}

static GLOBAL: OnceLock<u32> = OnceLock::new();
static LAZY: LazyLock<Vec<u8>> = LazyLock::new(|| vec![1, 2, 3]);

fn main() {
    debug! {
        // Layouts of enums.
        one = One::Only(1, 2); one_unit = OneUnit::Only; text_a = Text::A(1); text_b = Text::B { name: "b".into() };
        text_c = Text::C; text_d = Text::D(1, 2); kept_a = Kept::A; kept_b = Kept::B; kept_zero = KeptZero::A(9);
        wide_low = Wide::Low; wide_high = Wide::High; wide_signed = WideSigned::Low; wide_zero = WideSigned::Zero;
        wide_small = WideData::Small(3); wide_huge = WideData::Huge { x: 4 }; tagged = Tagged::Minus(8); tagged_zero = Tagged::Zero;
        o_never = None::<Never>; o_unit = Some(()); o_unit_none = None::<()>; o_zst = Some(Nothing); r_unit = Ok::<(), ()>(());
        r_unit_err = Err::<(), ()>(()); r_left = Err::<Never, u8>(4); r_right = Ok::<u8, Never>(4);
        o_deep = Some(Some(Some(Some(true)))); o_deep_none = Some(Some(Some(None::<bool>))); o_deep2 = Some(Some(None::<Option<bool>>));
        o_vec = Some(vec![1_u8]); o_vec_none = None::<Vec<u8>>; o_rc_none = None::<Rc<u8>>; o_fn_none = None::<fn()>;
        o_ref = Some(&5_u8); o_ref_none = None::<&u8>; o_ordering = Some(std::cmp::Ordering::Less); o_ordering_none = None::<std::cmp::Ordering>;
        o_text = Some(Text::C); o_text_none = None::<Text>; o_nonzero = NonZeroI32::new(-3); o_nonzero_none = NonZeroI32::new(0);
        ordering = [std::cmp::Ordering::Less, std::cmp::Ordering::Equal, std::cmp::Ordering::Greater];
        atomic_ordering = std::sync::atomic::Ordering::SeqCst; poll = Poll::Ready(1_u8); pending = Poll::<u8>::Pending;
        flow = ControlFlow::<u8, ()>::Break(1); bound = Bound::Included(1_u8); unbounded = Bound::<u8>::Unbounded;
        // Tails and things without size.
        tail = &Tail { head: 1, rest: [1_u16, 2, 3] } as &Tail<[u16]>;
        tail_box = Box::new(Tail { head: 1, rest: [Nothing, Nothing] }) as Box<Tail<[Nothing]>>;
        tail_empty = &Tail { head: 1, rest: [0_u64; 0] } as &Tail<[u64]>;
        zst_vec = vec![Nothing, Nothing]; zst_deque = VecDeque::from([(), (), ()]); zst_array = [Nothing; 0]; zst_box = Box::new(Nothing);
        zst_list = LinkedList::from([(), ()]); zst_map = HashMap::from([((), ())]); zst_tree = BTreeMap::from([((), ())]);
        phantom = PhantomData::<u8>; phantom_in = Phantom::<u8> { marker: PhantomData };
        // Containers.
        list = LinkedList::from([1_u8, 2, 3]); list_empty = LinkedList::<String>::new(); list_text = LinkedList::from(["a".to_string(), "b".into()]);
        heap = BinaryHeap::from([3_u8, 1, 2]); heap_empty = BinaryHeap::<u64>::new(); heap_reverse = BinaryHeap::from([Reverse(1_u8)]);
        deque_empty = VecDeque::<u32>::new(); vec_box = vec![Box::new(1_u8)]; vec_option = vec![Some(1_u8), None];
        map_string = HashMap::from([("k".to_string(), vec![1_u8])]); set_tuple = HashSet::from([(1_u8, 'x')]);
        tree = (0..30_u32).map(|i| (i, ())).filter(|(i, ())| *i < 12).collect::<BTreeMap<_, _>>(); set_empty = BTreeSet::<u8>::new();
        tree_string = BTreeMap::from([("a".to_string(), 1_u8)]); set_strs = BTreeSet::from(["x", "y"]);
        // Ranges.
        range = 1..5_u8; range_inclusive = 1..=5_u8; range_from = 2_u64..; range_to = ..3_i8; range_to_inclusive = ..=3_i8; range_full = ..;
        range_text = "a".."b"; range_char = 'a'..='z'; range_done = { let mut r = 1..=2_u8; r.by_ref().for_each(drop); r };
        // Cells and wrappers.
        once_cell = OnceCell::from(5_u8); once_cell_empty = OnceCell::<String>::new(); once_lock = OnceLock::from(Point { x: 1, y: 2 });
        once_lock_empty = OnceLock::<u8>::new(); saturating = Saturating(3_u8); wrapping = Wrapping(-1_i8); reverse = Reverse(5_u8);
        atomic_i64 = AtomicI64::new(i64::MIN); cell = Cell::new(Some(3_u8)); layout = Layout::new::<(u64, u8)>(); layout_one = Layout::new::<u8>();
        type_id = TypeId::of::<String>(); iter = [1_u8, 2, 3].iter(); into_iter = vec![1_u16, 2].into_iter(); 
        iter_empty = [0_u8; 0].iter(); into_iter_zst = vec![(), ()].into_iter(); iter_zst = [(), (), ()].iter(); iter_mut = Box::leak(Box::new([1_u8, 2])).iter_mut();
        error_kind = std::io::Error::from(std::io::ErrorKind::NotFound); error_os = std::io::Error::from_raw_os_error(2);
        error_kind_only = std::io::ErrorKind::WouldBlock;
        parse_error = "x".parse::<u8>().unwrap_err(); utf8_error = String::from_utf8(vec![0xff]).unwrap_err().utf8_error();
    }
    let taken = { let mut iter = vec![1_u8, 2, 3].into_iter(); iter.next(); iter };
    let slice_taken = { let mut iter = [1_u8, 2, 3].iter(); iter.next(); iter };
    debug! { into_iter_taken = taken; iter_taken = slice_taken; }
    // Several states of one type.
    let lazy_set = LazyLock::<u8>::new(|| 5);
    LazyLock::force(&lazy_set);
    let cell_set = LazyCell::<u8>::new(|| 5);
    LazyCell::force(&cell_set);
    let poisoned = LazyLock::<u8>::new(|| panic!("on purpose"));
    let silent = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| *LazyLock::force(&poisoned)));
    let bad = Mutex::new(1_u8);
    let bad_rw = RwLock::new(1_u8);
    let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let _one = bad.lock();
        let _two = bad_rw.write();
        panic!("on purpose")
    }));
    std::panic::set_hook(silent);
    let done = Once::new();
    done.call_once(|| ());
    let (read, written) = (RwLock::new(1_u8), RwLock::new(2_u8));
    let (one, _two) = (read.read().unwrap(), read.read().unwrap());
    let write = written.write().unwrap();
    let shared = RefCell::new(1_u8);
    let (borrow, _other) = (shared.borrow(), shared.borrow());
    let unique = RefCell::new(vec![2_u8]);
    let borrow_mut = unique.borrow_mut();
    let (sender, receiver) = mpsc::channel();
    (0..40_u32).for_each(|i| sender.send(i).unwrap());
    let second = sender.clone();
    (0..3).for_each(|_| assert!(receiver.recv().is_ok()));
    let (bounded, bounded_receiver) = mpsc::sync_channel::<u8>(4);
    bounded.send(1).unwrap();
    let (rendezvous, _rendezvous_receiver) = mpsc::sync_channel::<u8>(0);
    let (orphan, _) = mpsc::channel::<u8>();
    let (_, widow) = mpsc::channel::<u8>();
    let broken = unsafe { String::from_utf8_unchecked(vec![b'a', 0xff]) };
    let os_broken = { use std::os::unix::ffi::OsStringExt as _; std::ffi::OsString::from_vec(vec![b'a', 0xff]) };
    let text = String::from("text");
    let number = 5_u32;
    let pair = (1_u8, String::from("p"));
    let mut counter = 0_u8;
    let by_mut = || counter += 1;
    let places = || pair.1.len() + pair.0 as usize;
    let nested = move || { let inner = || text.len() + number as usize; inner() };
    let mut selfish = Selfish { own: std::ptr::null(), value: 3 };
    selfish.own = &selfish;
    let ring = Rc::new(Ring { value: 1, next: RefCell::new(None) });
    *ring.next.borrow_mut() = Some(Rc::clone(&ring));
    let named = std::thread::Builder::new().name("worker".into()).spawn(|| std::thread::park()).unwrap();
    let finished = std::thread::spawn(|| 7_u8);
    while !finished.is_finished() {
        std::thread::yield_now();
    }
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let stream = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    use std::os::fd::AsRawFd as _;
    let (listener_fd, stream_fd) = (listener.as_raw_fd(), stream.as_raw_fd());
    let listener_end = listener.local_addr().unwrap();
    let (own, peer) = (stream.local_addr().unwrap(), stream.peer_addr().unwrap());
    let file = std::fs::File::open("/dev/null").unwrap();
    let file_fd = file.as_raw_fd();
    form! {
        waker_thread = Waker::from(Arc::new(Alarm { rings: 2 })) => "Waker(Alarm)"; 
        chars = "héé".chars() => "Chars(\"héé\")"; error_custom = std::io::Error::other("broken") => "Custom { kind: Other, error: StringError(\"broken\") }";
        lazy_lock = lazy_set => "LazyLock(5)"; lazy_lock_unset = LazyLock::<u8>::new(|| 1) => "LazyLock(<uninit>)";
        lazy_poisoned = poisoned => "LazyLock(<poisoned>)";
        lazy_cell = cell_set => "LazyCell(5)"; lazy_cell_unset = LazyCell::<u8>::new(|| 1) => "LazyCell(<uninit>)";
        once_done = done => "Once(complete)"; once_not = Once::new() => "Once(incomplete)";
        mutex_poisoned = bad => "Mutex(unlocked, poisoned) { data: 1 }";
        rw_free = RwLock::new(text_c) => "RwLock(unlocked) { data: C }"; rw_read = &read => "RwLock(2 readers) { data: 1 }";
        rw_written = &written => "RwLock(write locked) { data: 2 }"; rw_poisoned = bad_rw => "RwLock(unlocked, poisoned) { data: 1 }";
        guard_read = one => "1"; guard_write = write => "2"; cell_shared = &shared => "RefCell(borrowed 2×) { value: 1 }";
        cell_unique = &unique => "RefCell(mutably borrowed) { value: [2] }"; ref_shared = borrow => "1"; ref_unique = borrow_mut => "[2]";
        unsafe_cell = UnsafeCell::new(3_u8) => "3"; manually = ManuallyDrop::new(String::from("m")) => "\"m\"";
        uninit = MaybeUninit::<u32>::new(5) => "<maybe uninitialised>";
        mpsc_sender = sender => "Sender(2 senders, 37 queued)"; mpsc_second = second => "Sender(2 senders, 37 queued)";
        mpsc_receiver = receiver => "Receiver(2 senders, 37 queued)";
        mpsc_bounded = bounded => "SyncSender(1 sender, 1 of 4 queued)"; mpsc_bounded_receiver = bounded_receiver => "Receiver(1 sender, 1 of 4 queued)";
        mpsc_rendezvous = rendezvous => "SyncSender(1 sender, rendezvous)";
        mpsc_orphan = orphan => "Sender(1 sender, 0 queued, disconnected)"; mpsc_widow = widow => "Receiver(0 senders, 0 queued, disconnected)";
        barrier_condvar = Condvar::new() => "Condvar";
        text_broken = broken => "\"a\u{fffd}\" <not UTF-8>"; os_text_broken = os_broken => "\"a\u{fffd}\" <not UTF-8>";
        cow_borrowed = Cow::Borrowed("a") => "Borrowed(\"a\")"; cow_owned = Cow::<str>::Owned("b".into()) => "Owned(\"b\")";
        rc_slice = Rc::<[u8]>::from([1_u8, 2]) => "Rc(strong=1) [1, 2]"; arc_path = Arc::<std::path::Path>::from(std::path::Path::new("/p")) => "Arc(strong=1) \"/p\"";
        rc_dyn = Rc::new(Dog { age: 3 }) as Rc<dyn Speak> => "Rc(strong=1) Dog { age: 3 }"; box_dyn_error = Box::<dyn std::error::Error + Send + Sync>::from("e") => "StringError(\"e\")";
        weak_rc = Rc::downgrade(&ring) => "Weak(strong=2)";
        closure_mut = by_mut => "closure in main { counter: 0 }"; closure_places = places => "closure in main { pair__0: 1, pair__1: \"p\" }";
        closure_moved = nested => "closure in main { text: \"text\", number: 5 }"; closure_none = || 1_u8 => "closure in main";
        null_const = std::ptr::null::<u8>() => "0x0"; null_dyn = std::ptr::null::<[u8; 3]>() => "0x0";
        overlaid = Overlaid { int: 0x0403_0201 } => "Overlaid { int: 67305985, bytes: [1, 2, 3, 4] }";
        system_time = SystemTime::UNIX_EPOCH + Duration::new(1_700_000_000, 5_000_000) => "SystemTime { tv_sec: 1700000000, tv_nsec: 5000000 } (2023-11-14 22:13:20.005 UTC)";
        system_epoch = SystemTime::UNIX_EPOCH => "SystemTime { tv_sec: 0, tv_nsec: 0 } (1970-01-01 00:00:00 UTC)";
        system_before = SystemTime::UNIX_EPOCH - Duration::from_secs(1) => "SystemTime { tv_sec: -1, tv_nsec: 0 } (1969-12-31 23:59:59 UTC)";
        thread = named.thread().clone() => format!("Thread {{ id: {:?}, name: \"worker\" }}", named.thread().id());
        thread_unnamed = finished.thread().clone() => format!("Thread {{ id: {:?}, name: None }}", finished.thread().id());
        join_running = &named => format!("JoinHandle(running) {{ thread: Thread {{ id: {:?}, name: \"worker\" }} }}", named.thread().id());
        join_done = &finished => format!("JoinHandle(finished) {{ thread: Thread {{ id: {:?}, name: None }}, result: Ok(7) }}", finished.thread().id());
        thread_id = finished.thread().id() => format!("{:?}", finished.thread().id());
        waker_noop = Waker::noop().clone() => "Waker(no-op)";
        tcp_listener = listener => format!("TcpListener {{ fd: {listener_fd}, local: {} }}", listener_end); tcp_stream = stream => format!("TcpStream {{ fd: {stream_fd}, local: {own}, peer: {peer} }}");
        open_file = file => format!("File {{ fd: {file_fd}, path: /dev/null }}");
        ring_cycle = ring => "Rc(strong=2, weak=1) Ring { value: 1, next: RefCell { value: Some(Rc(strong=2, weak=1) Ring { value: 1, next: RefCell { … } }) } }";
    }
    let items: (fn(u32) -> u32, u8) = (double, 1);
    show(&items, "fn_in_tuple", &format!("({:#x} library::double, 1)", items.0 as *const () as usize));
    let atomic = AtomicPtr::new(&mut counter);
    show(&atomic, "atomic_ptr", &format!("{:p}", atomic.load(std::sync::atomic::Ordering::Relaxed)));
    let wide: *const [u8] = &[1, 2];
    show(&wide, "raw_slice", &format!("{:p} (length 2)", wide.cast::<u8>()));
    show(&selfish, "self_pointing", &format!("Selfish {{ own: {:p}, value: 3 }}", selfish.own));
    GLOBAL.get_or_init(|| 17);
    show(&GLOBAL, "global_once", "OnceLock(17)");
    let _ = LAZY.len();
    show(&LAZY, "global_lazy", "LazyLock([1, 2, 3])");
    // Never valid.
    let overlong: [usize; 3] = [0, 8, 0];
    show(unsafe { &*(&raw const overlong).cast::<LinkedList<u8>>() }, "x_list_empty", "[]");
    let endless: [usize; 3] = [16, 16, usize::MAX >> 1];
    show(unsafe { &*(&raw const endless).cast::<LinkedList<u8>>() }, "x_list", "<no readable memory at 0x10>");
    let huge: [usize; 2] = [0x1000, 1 << 63];
    show(unsafe { &*(&raw const huge).cast::<&[u8]>() }, "x_slice", "<invalid: a length of 9223372036854775808; uninitialised or moved out>");
    show(unsafe { &*(&raw const huge).cast::<&str>() }, "x_str", "<invalid: a length of 9223372036854775808; uninitialised or moved out>");
    let unaligned: usize = &raw const huge as usize + 1;
    show(unsafe { &*(&raw const unaligned).cast::<&u64>() }, "x_unaligned", &format!("<misaligned pointer {unaligned:#x}: a `u64` lies at multiples of 8>"));
    let _ = Barrier::new(1);
    println!("ready");
    let _ = std::io::stdin().read(&mut [0]);
}
