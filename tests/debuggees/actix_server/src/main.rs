//! A server made with actix-web, on two workers, with one request that is not answered. Says "ready" when that request
//! waits, ends when its standard input does.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use actix_web::{App, HttpServer, rt, web};

fn main() -> std::io::Result<()> {
    rt::System::new().block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let server = HttpServer::new(|| App::new().route("/slow", web::get().to(slow)))
            .workers(2)
            .disable_signals()
            .listen(listener)?
            .run();
        rt::spawn(server);
        rt::spawn(counts());
        let mut client = rt::task::spawn_blocking(move || TcpStream::connect(address)).await.expect("not cancelled")?;
        client.write_all(b"GET /slow HTTP/1.1\r\nHost: here\r\n\r\n")?;
        rt::time::sleep(Duration::from_millis(50)).await;
        rt::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new())).await.expect("not cancelled")?; // BP: root
        drop(client);
        std::process::exit(0)
    })
}

async fn slow() -> &'static str {
    println!("ready");
    rt::time::sleep(Duration::from_secs(3600)).await; // BP: slow
    "done"
}

async fn counts() {
    rt::time::sleep(Duration::from_secs(3600)).await; // BP: counts
}
