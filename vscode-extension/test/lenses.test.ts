import assert from 'node:assert/strict';
import { test } from 'node:test';
import { targetsOf, type Target } from '../src/model/cargo';
import { pythonMains, rustLenses } from '../src/model/lenses';
import { maxFiles, modulePath } from '../src/model/rustModules';
import { rustSource } from '../src/model/rustSource';
import { tokens } from '../src/model/rustTokens';

const names = (source: string): string[] => rustSource(source).entries.map(({ kind, modules, name, cases }) => `${kind} ${[...modules, name].join('::')}${cases ? ' *' : ''}`);

test('comments, strings and characters are no source', () => {
  const source = String.raw`#!/usr/bin/env run
    // fn main() {}
    /* #[test] /* nested */ fn a() {} */
    const A: &str = "#[test] fn b() {} \" { \\"; const B: &[u8] = br##"fn main() { "# "##;
    const C: char = '"'; const D: u8 = b'\''; const E: char = '\u{22}'; fn life<'a>(x: &'a str) -> &'a str { x }
    const R: &str = r"\"; #[test] fn here() {}`;
  assert.deepEqual(names(source), ['test here']);
  assert.deepEqual(tokens('a\'static "x').map(({ kind, text }) => [kind, text]), [['word', 'a'], ['string', 'x']]);
  assert.deepEqual(tokens('/* open').concat(tokens('r##"open"#')), [{ kind: 'string', text: 'open"#', at: 0 }]);
  assert.deepEqual(tokens("r#try 1.5e3 0..2 'x'").map(({ text }) => text), ['r#try', '.', '.']);
});

test('a test is what its attribute says, with the modules around it', () => {
  const source = `
    pub(crate) mod outer {
      #![allow(dead_code)]
      #[cfg(test)]
      mod r#try {
        #[test] #[should_panic(expected = "}")] pub(in crate::outer) fn one() {}
        #[tokio::test(flavor = "multi_thread")]
        async fn two() -> Result<(), [u8; 2]> { let x = { #[test] fn inner() {} }; Ok(()) }
        fn helper() {}
      }
      #[::async_std::test] async unsafe extern "C" fn three() {}
    }
    #[rstest] #[case(1)] fn many(#[case] x: u32) {}
    #[rstest] fn each(#[values(1, 2)] x: u32) {}
    #[rstest] fn fixed(fixture: u32) {}
    #[test] const X: u8 = 0; fn none() {}
    struct S; impl S { #[test] fn method() {} }
    macro_rules! made { ($x:ident) => { #[test] fn $x() {} } }
    made! { #[test] fn by_macro() {} }
    #[tokio::main] async fn main() {}
    mod deeper { fn main() {} }`;
  assert.deepEqual(names(source), ['test outer::r#try::one', 'test outer::r#try::two', 'test outer::three', 'test many *', 'test each *', 'test fixed', 'main main']);
});

test('what cannot be there on Linux, or in tests, is left out', () => {
  const source = `
    #[cfg(windows)] mod windows { #[test] fn a() {} }
    #[cfg(not(test))] mod real { #[test] fn b() {} }
    #[cfg(any(target_os = "macos", all(unix, not(target_os = "linux"))))] #[test] fn c() {}
    #[cfg(all(test, feature = "slow"))] mod maybe { #[cfg(target_os = "linux")] #[test] fn d() {} }
    #[cfg(not(feature = "x"))] #[test] fn e() {}
    #[cfg(test)] fn main() {}
    #[cfg(not(test))] fn main() {}`;
  assert.deepEqual(names(source), ['test maybe::d', 'test e', 'main main']);
});

const files: Readonly<Record<string, string>> = {
  '/w/shop/src/lib.rs': 'mod orders; mod inline { pub mod deep; #[path = "x.rs"] mod moved; } #[path = "odd/place.rs"] mod placed; mod r#try; // mod gone;',
  '/w/shop/src/orders.rs': 'mod open;',
  '/w/shop/src/orders/open.rs': '',
  '/w/shop/src/inline/deep/mod.rs': 'mod far;',
  '/w/shop/src/inline/deep/far.rs': '',
  '/w/shop/src/odd/place.rs': 'mod beside;',
  '/w/shop/src/main.rs': 'mod orders; fn main() {}',
};
const read = (file: string): string | undefined => files[file];

test('a file is the module that declarations lead to', () => {
  const at = (file: string): readonly string[] | undefined => modulePath('/w/shop/src/lib.rs', `/w/shop/src/${file}`, read);
  assert.deepEqual(at('lib.rs'), []);
  assert.deepEqual(at('orders.rs'), ['orders']);
  assert.deepEqual(at('orders/open.rs'), ['orders', 'open']);
  assert.deepEqual(at('inline/deep/far.rs'), ['inline', 'deep', 'far']);
  assert.deepEqual(at('odd/place.rs'), ['placed']);
  assert.deepEqual(at('odd/beside.rs'), ['placed', 'beside']);
  assert.deepEqual(at('try/mod.rs'), ['r#try']);
  assert.deepEqual([at('gone.rs'), at('inline/x.rs'), at('main.rs'), modulePath('/none.rs', '/other.rs', read)], [undefined, undefined, undefined, undefined]);
});

test('declarations with a path are followed in no circle, and not for ever', () => {
  let reads = 0;
  const walked = (sources: (file: string) => string | undefined): readonly [readonly string[] | undefined, number] => {
    reads = 0;
    return [modulePath('/a/a.rs', '/a/wanted.rs', (file) => ((reads += 1), sources(file))), reads];
  };
  const circle = '#[path = "a.rs"] mod one; #[path = "b.rs"] mod two; #[path = "a.rs"] mod three;';
  assert.deepEqual(walked((file) => (/\/[ab]\.rs$/.test(file) ? circle : undefined)), [undefined, 2]);
  assert.deepEqual(walked((file) => (file === '/a/b.rs' ? `${circle} mod wanted;` : circle)), [['two', 'wanted'], 2]);
  const chain = (file: string): string => `#[path = "a${Number(/\d*(?=\.rs$)/.exec(file)?.[0]) + 1}.rs"] mod next;`;
  assert.deepEqual(walked(chain), [undefined, maxFiles]);
});

function target(kind: string, name: string, source: string): Readonly<Record<string, unknown>> {
  return { name, kind: [kind], test: true, src_path: source };
}

function workspace(...targets: Readonly<Record<string, unknown>>[]): readonly Target[] {
  return targetsOf({ packages: [{ name: 'shop', manifest_path: '/w/shop/Cargo.toml', targets }] });
}

const library = target('lib', 'shop', '/w/shop/src/lib.rs');
const program = target('bin', 'shop', '/w/shop/src/main.rs');

test('a test is started by its whole path, and alone', () => {
  const lenses = rustLenses('\n#[cfg(test)]\nmod tests {\n  #[tokio::test]\n  async fn price() {}\n}', '/w/shop/src/orders.rs', workspace(library, program), read);
  assert.deepEqual(lenses, [
    {
      line: 3,
      subject: 'price',
      starts: [
        {
          name: 'Debug test orders::tests::price',
          cargo: { args: ['test', '--no-run', '--package=shop', '--lib'], filter: { name: 'shop', kind: 'lib' } },
          cwd: '/w/shop',
          args: ['orders::tests::price', '--exact', '--include-ignored', '--nocapture'],
        },
      ],
    },
  ]);
  const [cases] = rustLenses('#[rstest]\n#[case(1)]\nfn many(#[case] x: u8) {}', '/w/shop/src/lib.rs', workspace(library), read);
  assert.deepEqual(cases?.starts[0]?.args, ['many::', '--include-ignored', '--nocapture']);
});

test('main is started where it is a program\'s; a test that belongs nowhere says so', () => {
  const main = rustLenses('fn main() {}\n#[test]\nfn a() {}', '/w/shop/src/main.rs', workspace(library, program), read);
  assert.deepEqual(main.map(({ line, starts }) => [line, starts.map(({ cargo, args }) => [...cargo.args, ...args])]), [
    [0, [['build', '--package=shop', '--bin=shop']]],
    [1, [['test', '--no-run', '--package=shop', '--bin=shop', 'a', '--exact', '--include-ignored', '--nocapture']]],
  ]);
  const lost = rustLenses('fn main() {}\n#[test]\nfn a() {}', '/w/shop/src/gone.rs', workspace(library, program), read);
  assert.deepEqual(lost.map(({ line, starts, why }) => [line, starts.length, why?.includes('#[path]')]), [[1, 0, true]]);
  assert.deepEqual(rustLenses('fn main() {}', '/elsewhere/main.rs', workspace(program), read), []);
});

test('where cargo fails, each lens says how', () => {
  const lenses = rustLenses('fn main() {}\n#[test]\nfn a() {}', '/w/shop/src/main.rs', { why: 'error: no `x`.' }, read);
  const why = 'What this file belongs to cannot be told, as cargo metadata failed: error: no `x`.';
  assert.deepEqual(lenses, [{ line: 0, subject: 'main', starts: [], why }, { line: 1, subject: 'a', starts: [], why }]);
  assert.deepEqual(rustLenses('fn other() {}', '/w/shop/src/main.rs', { why }, read), []);
});

test('where a Python file begins when it is run', () => {
  const source = ['"""', 'if __name__ == "__main__":', '"""', "x = '''if' # \"\"\"", "if __name__ == '__main__':", "''' # it's", 'def f():', '    if __name__ == "__main__":', 'if "__main__" == __name__:', 'if (__name__ == "__main__") : pass', 'if __name__ == "__main__" and x:'];
  assert.deepEqual(pythonMains(source.join('\n')), [8, 9]);
});
