//! `docs/operations.md` lists every operation, as the operations' own files describe it.
//!
//! The page is written from [`ops::ALL`] and from the files' public methods; the test fails when it is out of date, and
//! writes it anew where the variable `CHAINRULE_WRITE` is set.

use chainrule_tensor::ops;
use chainrule_tests::tree;
use std::fmt::Write;
use std::fs;

const HEAD: &str = "# Operations

Every operation of the engine, from its own file: the equation, the derivative, what it is called in PyTorch, and the file where
forward and backward stand side by side. In a derivative, `x'` stands for the gradient of the loss with respect to `x`; one that
is composed of other operations takes its derivative from theirs. All are checked against finite differences and against PyTorch, to
second order. This page is written by the test `operations`: `CHAINRULE_WRITE=1 cargo test -p chainrule-tests --test operations`.

| operation | methods | equation | derivative | PyTorch | file |
|---|---|---|---|---|---|
";

/// The public functions of a file, in their order, without its tests.
fn methods(text: &str) -> Vec<&str> {
    let code = text.split("#[cfg(test)]").next().unwrap_or_default();
    let names = code.lines().filter_map(|line| line.strip_prefix("    pub fn ")?.split(['(', '<']).next());
    names.collect()
}

/// A cell of a table: code, with nothing that would end the cell.
fn code(text: &str) -> String {
    if text.is_empty() { String::new() } else { format!("`{}`", text.replace('|', "\\|")) }
}

fn page() -> String {
    let mut page = String::from(HEAD);
    for (info, file) in ops::ALL.iter().zip(ops::FILES) {
        let path = format!("crates/tensor/src/ops/{file}.rs");
        let text = fs::read_to_string(tree::root().join(&path)).unwrap_or_else(|error| panic!("{path}: {error}"));
        let methods: Vec<String> = methods(&text).into_iter().map(code).collect();
        let cells = [code(info.equation), code(info.derivative), code(info.torch)];
        let (name, methods, cells) = (code(info.name), methods.join(" "), cells.join(" | "));
        writeln!(page, "| {name} | {methods} | {cells} | [{file}.rs](../{path}) |").expect("a string takes all");
    }
    page
}

#[test]
fn the_list_of_operations_is_up_to_date() {
    let path = tree::root().join("docs/operations.md");
    if std::env::var_os("CHAINRULE_WRITE").is_some() {
        fs::write(&path, page()).expect("the page can be written");
    }
    let written = fs::read_to_string(&path).unwrap_or_default();
    let hint = "run `CHAINRULE_WRITE=1 cargo test -p chainrule-tests --test operations`";
    assert!(written == page(), "docs/operations.md is not what the operations say: {hint}");
}
