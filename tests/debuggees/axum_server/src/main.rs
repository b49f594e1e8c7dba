//! A server made with axum, with one request that is not answered. Says "ready" when that request waits, ends when its
//! standard input does.

use std::io::Write as _;
use std::net::TcpStream;
use std::time::Duration;

use axum::Router;
use axum::extract::Path;
use axum::routing::get;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpListener;

fn main() -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(run())
}

async fn run() -> std::io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let router = Router::new().route("/slow/{name}", get(slow));
    let server = tokio::spawn(serve(listener, router));
    let mut client = TcpStream::connect(address)?;
    client.write_all(b"GET /slow/one HTTP/1.1\r\nHost: here\r\n\r\n")?;
    tokio::io::stdin().read_to_end(&mut Vec::new()).await?; // BP: root
    drop(client);
    server.abort();
    Ok(())
}

async fn serve(listener: TcpListener, router: Router) {
    axum::serve(listener, router).await.expect("it goes on"); // BP: serve
}

async fn slow(Path(name): Path<String>) -> String {
    println!("ready");
    tokio::time::sleep(Duration::from_secs(3600)).await; // BP: slow
    name
}
