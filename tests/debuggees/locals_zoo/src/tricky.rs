//! Coroutines whose variables are easily mistaken. What each has while it waits is in `locals_zoo.txt` beside the test.

use std::fmt::Debug;
use std::num::NonZeroU8;
use std::pin::Pin;

use crate::{spend, wait};

/// Spawns the tasks; how many will wait.
pub(crate) fn spawn() -> usize {
    tokio::spawn(continued());
    tokio::spawn(second_round());
    tokio::spawn(match_arms(Shape::Named(String::from("named"))));
    tokio::spawn(or_pattern(Shape::Cube(12)));
    tokio::spawn(none_arm(None));
    tokio::spawn(guarded(7));
    tokio::spawn(question());
    tokio::spawn(closure(40));
    tokio::spawn(three_types());
    tokio::spawn(one_type());
    tokio::spawn(one_type_inner());
    tokio::spawn(one_type_outer());
    tokio::spawn(temporary());
    tokio::spawn(if_let(Some(5)));
    tokio::spawn(let_else(Some(String::from("some"))));
    tokio::spawn(async_closure());
    tokio::spawn(borrowed_by_block());
    tokio::spawn(patterns());
    tokio::spawn(big());
    tokio::spawn(niches());
    tokio::spawn(generic(u32::MAX));
    tokio::spawn(generic(-1_i32));
    tokio::spawn(castor(1));
    tokio::spawn(pollux(2));
    tokio::spawn(recursion(0));
    tokio::spawn(objects());
    tokio::spawn(reassigned());
    tokio::spawn(passed_in_parts((3, String::from("three"))));
    tokio::spawn(method());
    tokio::spawn(popped(vec![1, 2, 3]));
    tokio::spawn(borrowed_mutably());
    tokio::spawn(slices("text", &[1, 2]));
    tokio::spawn(two_on_a_line());
    tokio::spawn(several_lines());
    tokio::spawn(argument_hidden(1));
    tokio::spawn(no_size());
    spend(Shape::Square(0));
    35
}

enum Shape {
    Square(u32),
    Cube(u32),
    Named(String),
}

async fn continued() {
    for index in 0..5_u32 {
        let x = index * 10;
        if index < 2 {
            continue;
        }
        let text = format!("text {x}");
        wait().await;
        spend((index, x, text));
    }
}

/// What is declared behind the await is not there, though it was in the round before.
async fn second_round() {
    let mut round = 0_u32;
    loop {
        if round == 1 {
            wait().await;
        }
        let late = format!("late {round}");
        tokio::task::yield_now().await;
        spend(&late);
        round += 1;
    }
}

async fn match_arms(shape: Shape) {
    match shape {
        Shape::Square(x) | Shape::Cube(x) => {
            wait().await;
            spend(x);
        }
        Shape::Named(x) => {
            wait().await; // BP: match_arms
            spend(x);
        }
    }
}

/// In the arm of `None` there is nothing to drop, so nobody looks at it.
async fn none_arm(value: Option<String>) {
    match value {
        None => wait().await, // BP: none_arm
        Some(_) => {}
    }
    spend(value);
}

async fn or_pattern(shape: Shape) {
    match &shape {
        Shape::Square(x) | Shape::Cube(x) => {
            wait().await;
            spend(x);
        }
        Shape::Named(_) => {}
    }
    spend(shape);
}

async fn guarded(number: u32) {
    match number {
        x if x > 5 => {
            wait().await;
            spend(x);
        }
        x => spend(x),
    }
}

async fn question() -> Option<u32> {
    let a = Some(3_u32)?;
    let b = Some(a + 1)?;
    wait().await;
    Some(a + b)
}

async fn closure(base: u32) {
    let add = move |number: u32| number + base;
    wait().await;
    spend(add(1));
}

async fn three_types() {
    let x = 1_u8;
    {
        let x = String::from("two");
        {
            let x = 3_u64;
            wait().await;
            spend(x);
        }
        spend(x);
    }
    spend(x);
}

async fn one_type() {
    let x = String::from("outer");
    {
        let x = String::from("inner");
        wait().await;
        spend(x);
    }
    spend(x);
}

/// Only the visible one is saved.
async fn one_type_inner() {
    let x = 1_u64;
    spend(x);
    let x = x + 1;
    wait().await;
    spend(x);
}

/// Only the hidden one is saved.
async fn one_type_outer() {
    let x = 10_u64;
    {
        let x = x + 1;
        spend(x);
        wait().await; // BP: one_type_outer
    }
    spend(x);
}

async fn temporary() {
    let text = &String::from("temporary");
    wait().await;
    spend(text);
}

async fn if_let(value: Option<u32>) {
    if let Some(value) = value {
        wait().await;
        spend(value);
    } else {
        spend(value);
    }
}

async fn let_else(value: Option<String>) {
    let Some(value) = value else { return };
    wait().await; // BP: let_else
    spend(value);
}

async fn async_closure() {
    let call = async |x: u32| {
        let y = x + 1;
        wait().await;
        spend((x, y));
    };
    call(4).await;
}

async fn borrowed_by_block() {
    let outer = String::from("outer");
    let block = async {
        let length = outer.len();
        wait().await;
        spend((length, &outer));
    };
    block.await; // BP: borrowed_by_block
}

struct Point {
    x: u32,
    rest: [u8; 2],
}

async fn patterns() {
    let (a, Point { x, rest: [p, q] }) = (1_u8, Point { x: 2, rest: [3, 4] });
    wait().await;
    spend((a, x, p, q));
}

async fn big() {
    let mut array = [7_u8; 4096];
    array[1] = 9;
    wait().await;
    spend(array);
}

async fn niches() {
    let boxed: Option<Box<u32>> = Some(Box::new(8));
    let none: Option<Box<u32>> = None;
    let small = NonZeroU8::new(3);
    let nested: Option<Option<bool>> = Some(None);
    let result: Result<String, u8> = Err(4);
    wait().await;
    spend((boxed, none, small, nested, result));
}

/// Equal code for several types.
async fn generic<T: Debug + Send + 'static>(value: T) {
    wait().await; // BP: generic
    spend(value);
}

macro_rules! twins {
    ($($name:ident)*) => {
        $(async fn $name(number: u32) {
            wait().await;
            spend(number);
        })*
    };
}

// Equal code under several names.
twins!(castor pollux);

fn recursion(depth: u32) -> Pin<Box<dyn Future<Output = ()> + Send>> {
    Box::pin(async move {
        let doubled = depth * 2;
        if depth < 2 {
            recursion(depth + 1).await;
        } else {
            wait().await;
        }
        spend((depth, doubled));
    })
}

async fn objects() {
    let boxed: Box<dyn Debug + Send> = Box::new(5_u16);
    let reference: &(dyn Debug + Sync) = &"static";
    wait().await;
    spend((boxed, reference));
}

async fn reassigned() {
    let mut text = String::from("old");
    spend(&text);
    drop(text);
    text = String::from("new");
    wait().await;
    spend(text);
}

async fn passed_in_parts((number, text): (u32, String)) {
    wait().await;
    spend((number, text));
}

struct Keeper {
    number: u32,
}

impl Keeper {
    async fn keeps(&self, more: u32) {
        let sum = self.number + more;
        wait().await;
        spend((self.number, sum));
    }
}

async fn method() {
    let keeper = Keeper { number: 6 };
    keeper.keeps(2).await;
}

async fn popped(mut stack: Vec<u32>) {
    while let Some(top) = stack.pop() {
        let left = stack.len();
        if top == 2 {
            wait().await;
        }
        spend((top, left, &stack));
    }
}

async fn borrowed_mutably() {
    let mut list = vec![1_u8];
    let reference = &mut list;
    reference.push(2);
    wait().await;
    reference.push(3);
    spend(list);
}

async fn slices(text: &str, numbers: &[u16]) {
    wait().await;
    spend((text, numbers));
}

/// Before the second await of the line nothing is said of the block's own variable.
async fn two_on_a_line() {
    let x = 1_u32;
    #[rustfmt::skip]
    let sum = { let x = 2_u64; tokio::task::yield_now().await; x } + { let y = 3_u64; wait().await; y };
    spend((x, sum));
}

async fn several_lines() {
    let x = 4_u32;
    {
        let x = x + 1;
        spend(x);
        async { wait().await }
            // In between.
            .await; // BP: several_lines
    }
    spend(x);
}

async fn argument_hidden(x: u32) {
    let y = x + 1;
    {
        let x = [y; 2];
        spend(&x);
        wait().await; // BP: argument_hidden
    }
    spend(x);
}

async fn no_size() {
    let nothing = ();
    let marker = std::marker::PhantomData::<u32>;
    wait().await;
    spend((nothing, marker));
}
