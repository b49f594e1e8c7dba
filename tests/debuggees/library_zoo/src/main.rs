//! Values of types of libraries that are in most programs, each in several of its states.

use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, Version};
use smallvec::{SmallVec, smallvec};
use tokio::sync::{broadcast, mpsc, oneshot, watch};

struct Alarm;

impl futures_util::task::ArcWake for Alarm {
    fn wake_by_ref(_: &Arc<Self>) {}
}

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        locks().await;
        channels().await;
        tasks().await;
        sockets().await;
    });
    texts();
    requests();
}

async fn locks() {
    let (free, held) = (parking_lot::Mutex::new(1_u8), parking_lot::Mutex::new(2_u8));
    let guard = held.lock();
    let (open, read, written) =
        (parking_lot::RwLock::new(1_u8), parking_lot::RwLock::new(2_u8), parking_lot::RwLock::new(3_u8));
    let (reader, _other) = (read.read(), read.read());
    let writer = written.write();
    let (t_free, t_held) = (tokio::sync::Mutex::new(1_u8), Arc::new(tokio::sync::Mutex::new(2_u8)));
    let t_guard = t_held.lock().await;
    let (t_open, t_read, t_written) =
        (tokio::sync::RwLock::new(1_u8), tokio::sync::RwLock::new(2_u8), tokio::sync::RwLock::new(3_u8));
    let (t_reader, _t_other) = (t_read.read().await, t_read.read().await);
    let t_writer = t_written.write().await;
    let (semaphore, ended) = (tokio::sync::Semaphore::new(3), tokio::sync::Semaphore::new(2));
    let _permit = semaphore.acquire().await.unwrap();
    ended.close();
    let (notify, notified) = (tokio::sync::Notify::new(), tokio::sync::Notify::new());
    notified.notify_one();
    let (once, set) = (tokio::sync::OnceCell::<u8>::new(), tokio::sync::OnceCell::new_with(Some(5_u8)));
    let (cell, cell_set) = (once_cell::sync::OnceCell::<u8>::new(), once_cell::sync::OnceCell::with_value(6_u8));
    let (unsync, lazy) = (once_cell::unsync::OnceCell::with_value(7_u8), once_cell::sync::Lazy::<u8>::new(|| 8));
    let forced = once_cell::unsync::Lazy::<u8>::new(|| 9);
    let _ = *forced;
    println!("{} {}", *guard, *reader); // BP: locks
    drop((
        free, open, writer, t_free, t_guard, t_open, t_reader, t_writer, notify, once, set, cell, cell_set, unsync,
        lazy,
    ));
}

async fn channels() {
    let (sender, mut receiver) = mpsc::channel(5);
    for i in 0..4_u32 {
        sender.send(i).await.unwrap();
    }
    let second = sender.clone();
    receiver.recv().await.unwrap();
    let (unbounded, unbounded_receiver) = mpsc::unbounded_channel();
    for i in 0..40_u32 {
        unbounded.send(i).unwrap();
    }
    let (orphan, gone) = mpsc::channel::<u8>(2);
    drop(gone);
    let (gone, mut widow) = mpsc::channel::<u8>(2);
    gone.send(1).await.unwrap();
    drop(gone);
    let one = widow.recv().await;
    let (once, once_receiver) = oneshot::channel::<u8>();
    let (sent, sent_receiver) = oneshot::channel::<u8>();
    sent.send(3).unwrap();
    let (gone, dropped) = oneshot::channel::<u8>();
    drop(gone);
    let (watched, watcher) = watch::channel(5_u8);
    let behind = watcher.clone();
    watched.send(6).unwrap();
    let mut seen = watched.subscribe();
    seen.borrow_and_update();
    let (spread, spread_receiver) = broadcast::channel(4);
    let late = spread.subscribe();
    for i in 0..3_u8 {
        spread.send(i).unwrap();
    }
    println!("{one:?}"); // BP: channels
    drop((
        second,
        unbounded_receiver,
        orphan,
        once,
        once_receiver,
        sent_receiver,
        dropped,
        behind,
        spread_receiver,
        late,
    ));
}

async fn tasks() {
    let idle = tokio::spawn(std::future::pending::<u8>());
    let done = tokio::spawn(async { 7_u8 });
    let cancelled = tokio::spawn(std::future::pending::<u8>());
    cancelled.abort();
    while !done.is_finished() || !cancelled.is_finished() {
        tokio::task::yield_now().await;
    }
    let scheduled = tokio::spawn(async { 7_u8 });
    let waker = futures_util::task::waker(Arc::new(Alarm));
    std::future::poll_fn(|context| {
        let own = context.waker().clone();
        assert!(own.will_wake(context.waker())); // BP: waker
        std::task::Poll::Ready(())
    })
    .await;
    let of_task = tokio::spawn(std::future::poll_fn(|context| std::task::Poll::Ready(context.waker().clone())));
    let of_task = of_task.await.unwrap();
    println!("{}", idle.is_finished()); // BP: tasks
    drop((scheduled, waker, of_task));
}

async fn sockets() {
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let stream = tokio::net::TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (own, peer) = (stream.local_addr().unwrap(), stream.peer_addr().unwrap());
    println!("{own} {peer}"); // BP: sockets
}

fn texts() {
    let fixed = bytes::Bytes::from_static(b"fixed");
    let shared = bytes::Bytes::from(vec![b'a', 0, 0xff]);
    let part = shared.slice(1..);
    let mut growing = bytes::BytesMut::from(&b"growing"[..]);
    let taken = growing.split_to(4);
    let small: SmallVec<[u16; 4]> = smallvec![1, 2, 3];
    let spilled: SmallVec<[u16; 2]> = smallvec![1, 2, 3];
    let full: SmallVec<[String; 1]> = smallvec!["a".to_owned()];
    let none: SmallVec<[u64; 4]> = SmallVec::new();
    let nothing: SmallVec<[(); 4]> = smallvec![(), (), (), (), (), ()];
    let id = uuid::Uuid::from_u128(0x0123_4567_89ab_cdef_0123_4567_89ab_cdef);
    println!("{id} {}", part.len() + taken.len()); // BP: texts
    drop((fixed, small, spilled, full, none, nothing));
}

fn requests() {
    let (get, custom) = (Method::GET, Method::from_bytes(b"PURGE").unwrap());
    let long = Method::from_bytes(b"A-METHOD-THAT-IS-LONG").unwrap();
    let (status, version) = (StatusCode::NOT_FOUND, Version::HTTP_11);
    let uri: Uri = "https://user@example.org:8080/path?query=1".parse().unwrap();
    let (relative, star): (Uri, Uri) = ("/only/path".parse().unwrap(), "*".parse().unwrap());
    let other: Uri = "ftp://host/".parse().unwrap();
    let (name, own) = (http::header::SEC_WEBSOCKET_KEY, HeaderName::from_static("x-own"));
    let value = HeaderValue::from_static("text/plain");
    let mut secret = HeaderValue::from_static("password");
    secret.set_sensitive(true);
    let empty = HeaderMap::<HeaderValue>::new();
    let mut headers = HeaderMap::new();
    headers.insert(http::header::CONTENT_TYPE, value.clone());
    headers.append(http::header::SET_COOKIE, HeaderValue::from_static("a=1"));
    headers.insert(own.clone(), secret.clone());
    headers.append(http::header::SET_COOKIE, HeaderValue::from_static("b=2"));
    headers.append(http::header::SET_COOKIE, HeaderValue::from_static("c=3"));
    headers.append(own.clone(), value.clone());
    let request = http::Request::builder().uri("/r").body(()).unwrap();
    println!("{name} {headers:?}"); // BP: requests
    drop((get, custom, long, status, version, uri, relative, star, other, empty, request));
}
