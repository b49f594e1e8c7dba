//! A value of each kind, all alive at one line.

#![allow(dead_code, reason = "fields are read by a debugger")]

use std::rc::Rc;

#[derive(Debug, Clone)]
struct Point {
    x: i32,
    y: i32,
}

#[derive(Debug)]
struct Unit;

#[derive(Debug)]
struct Pair(u8, String);

#[derive(Debug)]
enum Shape {
    Empty,
    Circle(f64),
    Rect { width: u32, height: u32 },
}

#[derive(Debug, Clone, Copy)]
enum Level {
    Low,
    High = 7,
}

#[derive(Debug)]
struct Node {
    value: i32,
    next: Option<Box<Node>>,
}

static GREETING: &str = "hello";
static mut COUNTER: u64 = 3;

pub(crate) fn all() {
    // SAFETY: only this thread touches it.
    unsafe { COUNTER += 1 };
    let point = Point { x: 3, y: -4 };
    look(&point, 42, "argument");
    let total = sum(&[1, 2, 3]);
    println!("{GREETING} {total}");
}

#[inline(never)]
fn look(place: &Point, number: i64, word: &str) {
    let truth = true;
    let letter = 'é';
    let byte: u8 = 200;
    let negative: i8 = -5;
    let wide: u128 = 1 << 100;
    let ratio = 2.5_f64;
    let small = 0.25_f32;
    let nothing = ();
    let unit = Unit;
    let pair = Pair(9, "nine".to_owned());
    let tuple = (1_u8, 'z', 2.5_f64);
    let owned = String::from("naïve \"quoted\"\n");
    let long = "x".repeat(10_000);
    let none: Option<u32> = None;
    let some: Option<u32> = Some(5);
    let niche: Option<Box<u32>> = Some(Box::new(6));
    let no_box: Option<Box<u32>> = None;
    let failed: Result<u8, String> = Err("bad".to_owned());
    let good: Result<u8, String> = Ok(1);
    let empty = Shape::Empty;
    let circle = Shape::Circle(1.5);
    let rect = Shape::Rect { width: 2, height: 3 };
    let level = Level::High;
    let low = Level::Low;
    let array = [10_u16, 20, 30];
    let numbers = vec![1_i32, 2, 3, 4];
    let words = vec!["one".to_owned(), "two".to_owned()];
    let slice: &[i32] = &numbers[1..3];
    let many: Vec<u32> = (0..1_000).collect();
    let points = vec![place.clone(), Point { x: 7, y: 8 }];
    let boxed = Box::new(Point { x: 1, y: 2 });
    let shared = Rc::new(5_u32);
    let list = Node { value: 1, next: Some(Box::new(Node { value: 2, next: None })) };
    let reference: &&Point = &place;
    let raw: *const i32 = &raw const numbers[0];
    let function: fn(&[i32]) -> i32 = sum;
    let add = |more: i64| number + more;
    let answer = add(1);
    println!("{answer} {truth} {letter} {byte} {negative} {wide} {ratio} {small} {nothing:?} {unit:?}"); // BP: values
    println!("{pair:?} {tuple:?} {owned} {} {none:?} {some:?} {niche:?} {no_box:?} {failed:?} {good:?}", long.len());
    println!(
        "{empty:?} {circle:?} {rect:?} {level:?} {low:?} {array:?} {numbers:?} {words:?} {slice:?} {}",
        many.len()
    );
    println!("{points:?} {boxed:?} {shared} {list:?} {reference:?} {raw:?} {} {word}", function(slice));
    println!("{} {} {:?}", list.value, list.next.is_some(), list.next.as_ref().map(|node| node.value));
}

#[inline(never)]
fn sum(numbers: &[i32]) -> i32 {
    let mut total = 0;
    for number in numbers {
        total += number; // BP: in sum
    }
    total // BP: summed
}
