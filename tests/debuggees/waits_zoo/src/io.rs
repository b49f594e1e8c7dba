//! Sockets, pipes, processes, signals.

use std::path::PathBuf;
use std::process::Stdio;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream, UdpSocket, UnixListener, UnixStream};
use tokio::process::{Child, Command};
use tokio::signal::unix::{SignalKind, signal};

use crate::{arrive, spawn};

/// Says the addresses that there are now.
pub(crate) async fn all() -> Vec<String> {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let mut facts = vec![format!("tcp={address}")];
    for reader in [true, false] {
        let near = TcpStream::connect(address).await.expect("connected");
        let (far, _) = listener.accept().await.expect("accepted");
        std::mem::forget(far);
        if reader {
            spawn(wait_tcp_read(near)).await;
        } else {
            spawn(wait_tcp_write(near)).await;
        }
    }
    let near = TcpStream::connect(address).await.expect("connected");
    let (far, _) = listener.accept().await.expect("accepted");
    std::mem::forget(far);
    spawn(wait_line(near)).await;
    let near = TcpStream::connect(address).await.expect("connected");
    let (far, _) = listener.accept().await.expect("accepted");
    std::mem::forget(far);
    spawn(wait_readable(near)).await;
    spawn(wait_accept(listener)).await;

    let listener = TcpListener::bind("[::1]:0").await.expect("a port");
    let address6 = listener.local_addr().expect("an address");
    facts.push(format!("tcp6={address6}"));
    let near = TcpStream::connect(address6).await.expect("connected");
    std::mem::forget(listener.accept().await.expect("accepted").0);
    spawn(wait_tcp6(near)).await;

    let socket = UdpSocket::bind("127.0.0.1:0").await.expect("a port");
    facts.push(format!("udp={}", socket.local_addr().expect("an address")));
    spawn(wait_udp(socket)).await;
    let socket = UdpSocket::bind("127.0.0.1:0").await.expect("a port");
    socket.connect(address).await.expect("connected");
    spawn(wait_udp_connected(socket)).await;

    let path: PathBuf = std::env::temp_dir().join(format!("waits-zoo-{}.sock", std::process::id()));
    facts.push(format!("unix={}", path.display()));
    let listener = UnixListener::bind(&path).expect("a socket");
    let near = UnixStream::connect(&path).await.expect("connected");
    std::mem::forget(listener.accept().await.expect("accepted").0);
    let _ = std::fs::remove_file(&path);
    spawn(wait_unix_read(near)).await;
    spawn(wait_unix_accept(listener)).await;

    let (sender, receiver) = tokio::net::unix::pipe::pipe().expect("a pipe");
    std::mem::forget(sender);
    spawn(wait_pipe(receiver)).await;

    // It ends when its input does, which is when this program does.
    let mut child = Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("cat");
    std::mem::forget(child.stdin.take());
    facts.push(format!("child={}", child.id().expect("a process")));
    let output = child.stdout.take().expect("its output");
    spawn(wait_process(child)).await;
    spawn(wait_output(output)).await;
    spawn(wait_signal()).await;
    spawn(wait_ctrl_c()).await;
    facts
}

async fn wait_accept(listener: TcpListener) {
    arrive();
    let _ = listener.accept().await; // BP: wait_accept
}

async fn wait_tcp_read(mut stream: TcpStream) {
    let mut buffer = [0; 16];
    arrive();
    let _ = stream.read(&mut buffer).await; // BP: wait_tcp_read
}

async fn wait_tcp_write(mut stream: TcpStream) {
    let ballast = vec![0; 64 << 20];
    arrive();
    let _ = stream.write_all(&ballast).await; // BP: wait_tcp_write
}

async fn wait_line(stream: TcpStream) {
    let mut lines = BufReader::new(stream).lines();
    arrive();
    let _ = lines.next_line().await; // BP: wait_line
}

async fn wait_readable(stream: TcpStream) {
    arrive();
    let _ = stream.readable().await; // BP: wait_readable
}

async fn wait_tcp6(mut stream: TcpStream) {
    let mut buffer = [0; 16];
    arrive();
    let _ = stream.read(&mut buffer).await; // BP: wait_tcp6
}

async fn wait_udp(socket: UdpSocket) {
    let mut buffer = [0; 16];
    arrive();
    let _ = socket.recv_from(&mut buffer).await; // BP: wait_udp
}

async fn wait_udp_connected(socket: UdpSocket) {
    let mut buffer = [0; 16];
    arrive();
    let _ = socket.recv(&mut buffer).await; // BP: wait_udp_connected
}

async fn wait_unix_read(mut stream: UnixStream) {
    let mut buffer = [0; 16];
    arrive();
    let _ = stream.read(&mut buffer).await; // BP: wait_unix_read
}

async fn wait_unix_accept(listener: UnixListener) {
    arrive();
    let _ = listener.accept().await; // BP: wait_unix_accept
}

async fn wait_pipe(mut receiver: tokio::net::unix::pipe::Receiver) {
    let mut buffer = [0; 16];
    arrive();
    let _ = receiver.read(&mut buffer).await; // BP: wait_pipe
}

async fn wait_process(mut child: Child) {
    arrive();
    let _ = child.wait().await; // BP: wait_process
}

async fn wait_output(mut output: tokio::process::ChildStdout) {
    let mut text = String::new();
    arrive();
    let _ = output.read_to_string(&mut text).await; // BP: wait_output
}

async fn wait_signal() {
    let mut hangup = signal(SignalKind::hangup()).expect("a signal");
    arrive();
    hangup.recv().await; // BP: wait_signal
}

async fn wait_ctrl_c() {
    arrive();
    let _ = tokio::signal::ctrl_c().await; // BP: wait_ctrl_c
}
