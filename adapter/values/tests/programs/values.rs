//! Values of many types, each with what a reader should see. The program prints, a line each, the address of an
//! instance of `show` (whose `T` is the value's type), the value's address, its name and the text expected; then it
//! waits until its input is closed.
#![allow(dead_code)]

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, HashMap, HashSet, VecDeque};
use std::convert::Infallible;
use std::fmt::Debug;
use std::io::Read;
use std::num::{NonZeroU8, NonZeroU64, Wrapping};
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicUsize};
use std::sync::{Arc, Mutex};
use std::time::Duration;

#[inline(never)]
fn show<T: ?Sized>(value: &T, name: &str, expected: &str)
where
    T: Sized,
{
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
        show(&$name, stringify!($name), $text);
    )* };
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Point {
    x: i32,
    y: i32,
}
#[derive(Debug)]
struct Unit;
#[derive(Debug)]
struct Wrap(u8);
#[derive(Debug)]
struct Pair<A, B>(A, B);
#[derive(Debug)]
struct Generic<T> {
    small: u8,
    inner: T,
    big: u64,
}
#[derive(Debug)]
enum Plain {
    A,
    B = 7,
    C = -3,
}
#[derive(Debug)]
enum Big {
    A = 0x1_0000_0000,
    B,
}
#[derive(Debug)]
enum Data {
    Empty,
    Number(u32),
    Text { text: String, len: usize },
    Nested(Box<Data>),
}
#[derive(Debug)]
enum Niche {
    A,
    P(bool),
    B,
    C,
}
#[derive(Debug)]
enum Never {}
#[derive(Debug)]
enum Half {
    A(Never),
    B(u32),
}
#[derive(Debug)]
#[repr(C)]
enum Repr {
    A(u8),
    B { x: u64 },
}
#[derive(Debug)]
#[repr(align(64))]
struct Aligned(u8);
#[derive(Debug)]
struct Node {
    value: u32,
    next: Option<Box<Node>>,
}
trait Shape: Debug {
    fn area(&self) -> u32;
}
#[derive(Debug)]
struct Square(u32);
impl Shape for Square {
    fn area(&self) -> u32 {
        self.0
    }
}
impl Shape for Aligned {
    fn area(&self) -> u32 {
        u32::from(self.0)
    }
}
fn double(x: u32) -> u32 {
    x * 2
}
#[derive(Clone, Copy)]
union Either {
    int: u32,
    float: f32,
}

static COUNTER: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(17);

fn main() {
    COUNTER.fetch_add(0, std::sync::atomic::Ordering::Relaxed);
    debug! {
        v_u8 = 200_u8; v_i8 = -128_i8; v_u16 = 65535_u16; v_i16 = -2_i16; v_u32 = u32::MAX; v_i32 = i32::MIN;
        v_u64 = u64::MAX; v_i64 = i64::MIN; v_u128 = u128::MAX; v_i128 = i128::MIN; v_usize = 5_usize; v_isize = -5_isize;
        v_bool = true; v_false = false; v_char = 'é'; v_quote = '\''; v_nl = '\n';
        v_f32 = 1.5_f32; v_f64 = -0.1_f64; v_f_int = 3.0_f64; v_nan = f64::NAN; v_inf = f32::INFINITY;
        v_unit = ();
        v_point = Point { x: -1, y: 2 }; v_unit_struct = Unit; v_wrap = Wrap(3); v_pair = Pair("a", 2.0_f32);
        v_generic = Generic { small: 1, inner: Some(Wrap(9)), big: 5 };
        v_tuple = (1_u8, "two", 3.0_f64); v_one = (1_u8,);
        e_a = Plain::A; e_b = Plain::B; e_c = Plain::C; e_big = Big::B; e_ordering = std::cmp::Ordering::Less;
        d_empty = Data::Empty; d_number = Data::Number(7);
        d_text = Data::Text { text: "hi".to_string(), len: 2 };
        d_nested = Data::Nested(Box::new(Data::Number(1)));
        n_a = Niche::A; n_p = Niche::P(true); n_b = Niche::B; n_c = Niche::C;
        half = Half::B(4); r_never = Ok::<u32, Infallible>(5); r_err = Err::<Infallible, u32>(6);
        o_never = None::<Infallible>; repr_a = Repr::A(3); repr_b = Repr::B { x: 8 };
        o_some = Some(5_u32); o_none = None::<u32>; o_box = Some(Box::new(5_u8)); o_box_none = None::<Box<u8>>;
        o_str = Some("abc"); o_string = Some(String::from("s")); o_string_none = None::<String>;
        o_nested = Some(Some(true)); o_nested_none = Some(None::<bool>); o_outer_none = None::<Option<bool>>;
        o_char = Some('x'); o_char_none = None::<char>; o_tuple = Some((1_u8, true)); o_tuple_none = None::<(u8, bool)>;
        o_u128 = Some(1_u128 << 100); o_duration = Some(Duration::from_millis(1500)); o_duration_none = None::<Duration>;
        r_ok = Ok::<String, u8>("ok".into()); r_e = Err::<String, u8>(3);
        s_str = "plain"; s_empty = ""; s_escape = "a\"b\\c\n\t\u{1b}é"; s_string = String::from("owned");
        s_string_empty = String::new(); s_box = String::from("boxed").into_boxed_str(); s_path = std::path::PathBuf::from("/tmp/x");
        s_path_ref = std::path::Path::new("/tmp/y"); s_os = std::ffi::OsString::from("os"); s_c = c"c text";
        s_cstring = std::ffi::CString::new("owned c").unwrap(); s_ref_ref = &&"deep";
        a_array = [1_u8, 2, 3]; a_empty = [0_u16; 0]; a_points = [Point { x: 1, y: 2 }, Point { x: 3, y: 4 }];
        a_slice = &[1_i64, -2][..]; a_slice_points = &[Point { x: 5, y: 6 }][..]; a_strs = ["a", "b"];
        a_vec = vec![1_u32, 2, 3]; a_vec_empty = Vec::<u64>::new(); a_vec_unit = vec![(), ()];
        a_vec_string = vec![String::from("x"), String::from("y")]; a_vec_vec = vec![vec![1_u8], vec![]];
        a_box_slice = vec![7_u16, 8].into_boxed_slice(); a_mut = &mut [9_u8, 8][..];
        a_deque = { let mut d = VecDeque::with_capacity(4); d.extend([1_u8, 2, 3, 4]); d.pop_front(); d.push_back(5); d };
        a_heap = BinaryHeap::from(vec![3_u8, 1, 2]).into_vec();
        p_ref = &5_u16; p_box = Box::new(Point { x: 7, y: 8 }); p_box_unit = Box::new(());
        m_hash = HashMap::from([("one", 1_u32)]); m_hash_empty = HashMap::<u8, u8>::new();
        m_big = (0..20_u8).map(|i| (i, i)).collect::<HashMap<u8, u8>>().into_keys().collect::<HashSet<u8>>().len();
        m_set = HashSet::from([42_u64]); m_tree = BTreeMap::from([(1_u8, "a"), (2, "b")]);
        m_tree_empty = BTreeMap::<u8, u8>::new(); m_tree_set = BTreeSet::from(['a', 'b']);
        m_tree_deep = (0..30_u8).map(|i| (i, ())).collect::<BTreeMap<_, _>>().len();
        c_cell = Cell::new(5_u8); c_cell_none = Cell::new(None::<u8>); c_refcell = RefCell::new(vec![1_u8]);
        c_atomic = AtomicUsize::new(7); c_atomic_i = AtomicI32::new(-7); c_nonzero = NonZeroU8::new(9).unwrap();
        c_nonzero64 = NonZeroU64::new(10); c_wrapping = Wrapping(5_u8); c_pin = Box::pin(3_u8);
        t_duration = Duration::new(1, 500_000_000); t_zero = Duration::ZERO;
        i_v4 = std::net::Ipv4Addr::new(127, 0, 0, 1); i_ip = std::net::IpAddr::from([10, 0, 0, 1]);
        i_v6 = std::net::Ipv6Addr::LOCALHOST; i_socket = std::net::SocketAddr::from(([127, 0, 0, 1], 6379));
        i_socket6 = "[::1]:80".parse::<std::net::SocketAddr>().unwrap();
        dyn_box = Box::new(Square(3)) as Box<dyn Shape>; dyn_ref = &Point { x: 1, y: 1 } as &dyn Debug;
        node = Node { value: 1, next: Some(Box::new(Node { value: 2, next: None })) };
    }
    let (shared, shared_str) = (Rc::new(Point { x: 1, y: 2 }), Rc::<str>::from("text"));
    let arc = Arc::new(5_u8);
    let (weak, gone) = (Arc::downgrade(&arc), Arc::downgrade(&Arc::new(1_u64)));
    let captured = String::from("cap");
    let by_ref = 5_u32;
    let closure = || captured.len() + by_ref as usize;
    let moved = vec![1_u8];
    let move_closure = move || moved.len();
    let busy = RefCell::new(1_u8);
    let _busy = busy.borrow_mut();
    let locked = Mutex::new(3_u8);
    let guard = locked.lock().unwrap();
    let numbers: Vec<u32> = (0..1000).collect();
    let long = "x".repeat(5000);
    let broken = unsafe { String::from_utf8_unchecked(vec![b'a', 0xff, b'b']) };
    let map: BTreeMap<u32, u32> = (0..200).map(|i| (i, i * i)).collect();
    form! {
        f_rc = shared.clone() => "Rc(strong=2) Point { x: 1, y: 2 }";
        f_rc_str = shared_str => "Rc(strong=1) \"text\"";
        f_arc = arc.clone() => "Arc(strong=2, weak=1) 5";
        f_arc_slice = Arc::<[Point]>::from(vec![Point { x: 1, y: 2 }]) => "Arc(strong=1) [Point { x: 1, y: 2 }]";
        f_arc_dyn = Arc::new(Square(4)) as Arc<dyn Shape> => "Arc(strong=1) Square(4)";
        f_arc_dyn_aligned = Arc::new(Aligned(5)) as Arc<dyn Shape> => "Arc(strong=1) Aligned(5)";
        f_weak = weak => "Weak(strong=2)"; f_gone = gone => "Weak(dropped)";
        f_never = std::sync::Weak::<u8>::new() => "Weak(never attached)";
        f_mutex = Mutex::new(7_u8) => "Mutex(unlocked) { data: 7 }";
        f_locked = &locked => "Mutex(locked) { data: 3 }";
        f_guard = guard => "3";
        f_busy = &busy => "RefCell(mutably borrowed) { value: 1 }";
        f_bool = AtomicBool::new(true) => "true";
        f_numbers = numbers => "[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32, … 967 more]";
        f_long = long => concat!("\"", "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", "…\" (5000 bytes)");
        f_broken = broken => "\"a\u{fffd}b\" <not UTF-8>";
        f_map = map => "{0: 0, 1: 1, 2: 4, 3: 9, 4: 16, 5: 25, 6: 36, 7: 49, 8: 64, 9: 81, 10: 100, 11: 121, 12: 144, 13: 169, 14: 196, 15: 225, … 184 more}";
        f_null = std::ptr::null::<u8>() => "0x0";
        f_union = Either { int: 0 } => "Either { int: 0, float: 0.0 }";
        f_closure = closure => "closure in main { captured: \"cap\", by_ref: 5 }";
        f_move_closure = move_closure => "closure in main { moved: [1] }";
    }
    let pointer: fn(u32) -> u32 = double;
    show(&pointer, "f_fn", &format!("{:#x} values::double", pointer as *const () as usize));
    let raw: *const u16 = &v_u16;
    show(&raw, "f_raw", &format!("{raw:p}"));
    // Never valid: what a reader must see instead of a guess.
    let bad_bool = std::mem::MaybeUninit::<[u8; 1]>::new([7]);
    show(unsafe { &*bad_bool.as_ptr().cast::<bool>() }, "x_bool", "<invalid: a bool of 0x7; uninitialised or moved out>");
    let bad_char = 0xd800_u32;
    show(unsafe { &*(&raw const bad_char).cast::<char>() }, "x_char", "<invalid: a char of 0xd800; uninitialised or moved out>");
    let bad_plain = 100_u8;
    show(
        unsafe { &*(&raw const bad_plain).cast::<Plain>() },
        "x_plain",
        "<invalid: no variant of `Plain` has the tag 0x64; uninitialised or moved out>",
    );
    let bad_vec: [usize; 3] = [usize::MAX >> 1, 8, usize::MAX];
    show(
        unsafe { &*(&raw const bad_vec).cast::<Vec<u8>>() },
        "x_vec",
        "<invalid: length 18446744073709551615 is more than the capacity 9223372036854775807; uninitialised or moved out>",
    );
    let bad_str: (usize, usize) = (16, 3);
    show(unsafe { &*(&raw const bad_str).cast::<&str>() }, "x_str", "<no readable memory at 0x10>");
    let bad_ref = 0_usize;
    show(unsafe { &*(&raw const bad_ref).cast::<&u8>() }, "x_ref", "<null pointer>");
    println!("ready");
    let _ = std::io::stdin().read(&mut [0]);
}
