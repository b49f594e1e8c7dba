//! What rustc describes: enums with data, trait objects, coroutines.
#![no_std]

use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};

#[panic_handler]
fn panic(_: &core::panic::PanicInfo) -> ! {
    loop {}
}

pub enum Shape {
    Dot,
    Line(u32, u8),
    Named { id: Option<&'static str>, next: Option<&'static Shape> },
}

pub trait Area {
    fn area(&self) -> u32;
}

impl Area for Shape {
    fn area(&self) -> u32 {
        match self {
            Shape::Dot => 0,
            Shape::Line(a, b) => *a ^ u32::from(*b),
            Shape::Named { id, next } => next.map_or(u32::from(id.is_some()), |next| next.area()),
        }
    }
}

struct Once(bool);

impl Future for Once {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        if self.0 {
            return Poll::Ready(());
        }
        self.0 = true;
        Poll::Pending
    }
}

async fn chain(shape: &Shape, depth: u32) -> u32 {
    let before = shape.area();
    Once(false).await;
    let inner = async {
        Once(depth > 1).await;
        before ^ depth
    };
    inner.await
}

#[unsafe(no_mangle)]
pub extern "C" fn main(shape: &'static Shape, context: &mut Context<'_>) -> u32 {
    let mut future = chain(shape, 3);
    let object: &dyn Area = shape;
    let mut total = 0;
    // SAFETY: it stays where it is until the end.
    while unsafe { Pin::new_unchecked(&mut future) }.poll(context).is_pending() {
        total ^= object.area();
    }
    total
}
