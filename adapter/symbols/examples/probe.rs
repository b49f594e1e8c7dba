//! Asks a file the questions that a debugger asks first, with times and peak memory: `probe FILE SOURCE:LINE`.

use std::path::Path;
use std::time::Instant;

use weft_symbols::{Image, IndexStore};

fn peak() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    line.unwrap_or_default().trim_start_matches("VmHWM:").trim().to_owned()
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [file, questions @ ..] = arguments.as_slice() else {
        eprintln!(
            "usage: probe FILE [SOURCE:LINE | index | types:PATH | functions:PATH | statics:PATH | symbol:NAME]…"
        );
        return;
    };
    if let Some(store) = IndexStore::of_user(|name| std::env::var_os(name)) {
        weft_symbols::keep_indexes(store);
    }
    let start = Instant::now();
    let image = match Image::open(Path::new(file)) {
        Ok(image) => image,
        Err(error) => return eprintln!("{error}"),
    };
    println!("open {:?}, peak {}", start.elapsed(), peak());
    for question in questions {
        let start = Instant::now();
        let (kind, rest) = question.split_once(':').unwrap_or((question, ""));
        let answer = match kind {
            "index" => format!("{:?}", image.index()),
            "types" => format!("{:?}", image.types(rest)),
            "any" => format!("{} types", image.types_of_any_arguments(rest).len()),
            "functions" => format!("{:?}", image.functions(rest)),
            "statics" => format!("{:?}", image.statics(rest)),
            "symbol" => format!("{:?}", image.symbol(rest)),
            "symbols" => format!("{} symbols", image.symbols_containing(rest).len()),
            source => format!("{:x?}", image.find_line(Path::new(source), rest.parse().unwrap_or(1))),
        };
        println!("{question}: {:?}, peak {}\n  {answer}", start.elapsed(), peak());
    }
}
