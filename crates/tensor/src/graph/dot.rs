//! Graphs as pictures, in the DOT language.

use super::node::{NodeRef, State};
use crate::Tensor;
use chainrule_kernels::Real;
use std::collections::BTreeMap;
use std::fmt::Write;

impl<T: Real> Tensor<T> {
    /// The graph behind this tensor in the DOT language: a box for each operation with its name, equation, output shape and
    /// call site, an oval for each leaf, arrows from inputs to results. `dot -Tsvg` draws it.
    pub fn to_dot(&self) -> String {
        let mut nodes: BTreeMap<u64, NodeRef<T>> = BTreeMap::new();
        let mut open: Vec<NodeRef<T>> = self.node().cloned().into_iter().collect();
        let mut arrows = String::new();
        while let Some(node) = open.pop() {
            if nodes.contains_key(&node.id) {
                continue;
            }
            if let State::Op { edges, .. } = &*node.state.read().unwrap_or_else(|e| e.into_inner()) {
                for edge in edges.iter().flatten() {
                    let _ = writeln!(arrows, "  n{} -> n{};", edge.id, node.id);
                    open.push(edge.clone());
                }
            }
            nodes.insert(node.id, node);
        }
        let mut dot = String::from("digraph {\n  node [fontname=\"monospace\", fontsize=10];\n");
        for (id, node) in nodes {
            let shape = if node.is_leaf() { "oval" } else { "box" };
            let mut lines = vec![format!("{} {}", node.info.name, node.shape)];
            if !node.is_leaf() {
                lines.push(node.info.equation.to_string());
            }
            lines.push(node.location.to_string());
            let label: Vec<String> = lines.iter().map(|l| l.replace('\\', "\\\\").replace('"', "\\\"")).collect();
            let _ = writeln!(dot, "  n{id} [shape={shape}, label=\"{}\"];", label.join("\\n"));
        }
        dot + &arrows + "}\n"
    }
}
