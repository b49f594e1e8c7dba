import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inlineNames } from '../src/model/inlineNames';

/** `line:column name` of what is found, both from 1; the stopped line is the one that ends in `// <-` or `# <-`. */
function found(language: 'rust' | 'python', text: string, names: string, shadowed = ''): string[] {
  const stopped = text.split('\n').findIndex((line) => /(\/\/|#) <-$/.test(line));
  assert.ok(stopped >= 0, 'a line is marked');
  const set = (list: string): Set<string> => new Set(list.split(' '));
  return inlineNames(language, text, stopped, set(names), set(shadowed)).map(({ name, line, column }) => `${line + 1}:${column + 1} ${name}`);
}

test('names are found on each line up to the stopped one, once a line', () => {
  const text = `async fn price(order: u32) -> u32 {
    let unit = 7;
    unit * order * unit // <-
}
fn later(order: u32) {}`;
  assert.deepEqual(found('rust', text, 'order unit'), ['1:16 order', '2:9 unit', '3:5 unit', '3:12 order']);
});

test('other functions do not count, nor does an inner one', () => {
  const text = `fn before(order: u32) { drop(order); }
trait T { fn abstract_one(&self, order: u32); }
fn price<F: Fn(u32) -> fn(u32) -> u32>(order: [u32; 3]) -> u32 {
    fn inner(order: u32) -> u32 { order }
    let twice = |n: u32| { n * order[0] };
    inner(order[0]) + twice(1) // <-
}`;
  assert.deepEqual(found('rust', text, 'order n'), ['3:40 order', '5:18 n', '5:32 order', '6:11 order']);
});

test('a stop on the line of the function, and on its closing brace', () => {
  assert.deepEqual(found('rust', 'fn a(x: u32) {}\nfn b(x: u32) -> u32 { // <-\n x }', 'x'), ['2:6 x']);
  assert.deepEqual(found('rust', 'fn a(x: u32) {}\nfn b(x: u32) {\n  drop(x);\n} // <-', 'x'), ['2:6 x', '3:8 x']);
});

test('Rust comments, strings and lifetimes are skipped', () => {
  const text = `fn f<'x>(x: &'x str) {
    // x
    /* x /* x */ x */
    let a = "x \\" x";
    let b = r#"x " x"#; let c = r"\\"; g(x);
    let d = br##"x "# x"##; let e = b"x"; let c = c"x";
    let q = 'x'; let r = '\\''; let s = b'x'; h(x, '"', x);
    let l: &'x str = loop { break 'x x };
    "multi
     x";
    i(x); // <-
}`;
  assert.deepEqual(found('rust', text, 'x'), ['1:10 x', '5:41 x', '7:48 x', '8:38 x', '11:7 x']);
});

test('Rust paths, macros, fields and raw names', () => {
  const text = `fn f() {
    order::x(); x::y(); x!(1); self.x; a.x();
    if x != 1 { let r = 0..x; }
    let p = Point { x: 1, y: x };
    let q = Point { x };
    let x: u32 = r#x; // <-
}`;
  assert.deepEqual(found('rust', text, 'x'), ['3:8 x', '4:30 x', '5:21 x', '6:9 x']);
});

test('of a name that several variables have only the stopped line tells', () => {
  const text = 'fn f() {\n  let x = 1;\n  let x = x + 1;\n  let y = x; // <-\n}';
  assert.deepEqual(found('rust', text, 'x', 'x'), ['4:11 x']);
});

test('Python names, with the function they are in', () => {
  const text = `x = 1
def before(x): return x
class Shop:
    x = 2
    async def quote(self, x,
                    y=x):
        def inner(x):
            return x
        price = x * self.x
        call(x=1, y=x)
        return price == x  # <-
x`;
  assert.deepEqual(found('python', text, 'x price'), ['5:27 x', '6:23 x', '9:9 price', '9:17 x', '10:21 x', '11:16 price', '11:25 x']);
  assert.deepEqual(found('python', 'x = 1\ndef f(x):\n    x\nx  # <-', 'x'), ['1:1 x', '4:1 x']);
});

test('Python comments and strings are skipped, expressions in f-strings are not', () => {
  const text = `def f(x, w):
    """x
    x"""
    # x
    a = 'x' "x \\" x" b'x' r'\\' x'
    b = f"x {x} {{x}}"
    c = f'{w!r:>{x}} x'
    d = f"{g(w, ':', {'k': x})} x"
    e = f"""
x {x:
w}"""
    g = rf"\\{x}"; h = f"{w["x"]}"
    return f'{x=}'  # <-`;
  assert.deepEqual(found('python', text, 'x'), ['1:7 x', '6:14 x', '7:18 x', '8:28 x', '10:4 x', '12:14 x', '13:15 x']);
});

test('Python lines that go on belong to their function', () => {
  const text = `def f(x):
    call(
x,
    )
    y = x + \\
x
    if x:  # <-
        pass`;
  assert.deepEqual(found('python', text, 'x'), ['1:7 x', '3:1 x', '5:9 x', '6:1 x', '7:8 x']);
});

test('what is not closed ends with the text', () => {
  assert.deepEqual(found('rust', 'fn f() { let x = 1; // <-\n "x', 'x'), ['1:14 x']);
  assert.deepEqual(inlineNames('rust', 'fn f(x: u8) { /* ', 0, new Set(['x']), new Set()).length, 1);
  assert.deepEqual(inlineNames('rust', '}}} x', 0, new Set(['x']), new Set()).length, 1);
  assert.deepEqual(inlineNames('python', 'f"{x', 0, new Set(['x']), new Set()).length, 1);
  assert.deepEqual(inlineNames('python', '))) """x', 0, new Set(['x']), new Set()).length, 0);
  assert.deepEqual(inlineNames('python', '', 3, new Set(['x']), new Set()).length, 0);
});
