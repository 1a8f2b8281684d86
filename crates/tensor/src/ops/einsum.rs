//! Sums of products, told by naming dimensions.
//!
//! | | |
//! |---|---|
//! | equation | `"ij,jk->ik"`: `c[i, k] = sum over j of a[i, j] b[j, k]`; names that are not in the result are summed over |
//! | derivative | composed of `diagonal`, `permute`, `sum`, `mul` and `matmul` |
//! | shapes | a letter has one size everywhere, or 1, which broadcasts; `...` stands for dimensions that are aligned at the last |
//! | saved | what those save |
//!
//! Without an arrow the result has, in alphabetical order, the names that occur once, behind those of `...`. A name twice in
//! one operand stands for its diagonal. Operands are multiplied from left to right; a pair is one matrix product if a name
//! is summed over.

use crate::{OpInfo, Shape, Tensor};
use chainrule_kernels::Real;

pub(super) static INFO: OpInfo = OpInfo {
    name: "einsum",
    equation: "ij,jk->ik: c[i, k] = sum over j of a[i, j] b[j, k]",
    derivative: "composed of diagonal, permute, sum, mul and matmul",
    torch: "torch.einsum",
};

/// A named dimension: a letter, or a number for a place under the dots.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Name {
    Dots(usize),
    Letter(char),
}

/// An operand and the names of its dimensions.
struct Term<T: Real> {
    tensor: Tensor<T>,
    names: Vec<Name>,
}

/// The names that a list of letters and dots stands for, where the dots stand for the last `dots` of `most` dimensions.
#[track_caller]
fn parse(list: &str, equation: &str, dots: usize, most: usize) -> Vec<Name> {
    let mut names = Vec::new();
    let (before, after) = list.split_once("...").unwrap_or((list, ""));
    let mut letters = |part: &str| {
        for letter in part.chars() {
            assert!(letter.is_ascii_alphabetic(), "einsum: {letter:?} in {equation:?} is no letter");
            names.push(Name::Letter(letter));
        }
    };
    letters(before);
    let place = before.len();
    letters(after);
    if list.contains("...") {
        names.splice(place..place, (most - dots..most).map(Name::Dots));
    }
    names
}

impl<T: Real> Term<T> {
    /// The size of a dimension, if the operand has it.
    fn size(&self, name: Name) -> Option<usize> {
        self.names.iter().position(|&n| n == name).map(|d| self.tensor.shape()[d])
    }

    /// Dimensions that share a name become their diagonal.
    #[track_caller]
    fn diagonals(mut self, equation: &str) -> Self {
        while let Some((i, j)) = twice(&self.names) {
            let shape = self.tensor.shape();
            let name = self.names[i];
            assert!(
                shape[i] == shape[j],
                "einsum: {equation:?} names dimensions {i} and {j} of shape {shape} alike, but their sizes differ"
            );
            self.tensor = self.tensor.diagonal(0, i, j);
            self.names.remove(j);
            self.names.remove(i);
            self.names.push(name);
        }
        self
    }

    /// Sums over the dimensions that nobody needs.
    #[track_caller]
    fn sum_but(self, needed: impl Fn(Name) -> bool) -> Self {
        let dims: Vec<usize> = (0..self.names.len()).filter(|&d| !needed(self.names[d])).collect();
        if dims.is_empty() {
            return self;
        }
        Term {
            tensor: self.tensor.sum_dim(dims, false),
            names: self.names.into_iter().filter(|&name| needed(name)).collect(),
        }
    }

    /// The dimensions in the order of these groups of names, each group merged to one dimension if `merged`.
    #[track_caller]
    fn arrange(&self, groups: &[(&[Name], bool)]) -> Tensor<T> {
        let place = |name: &Name| self.names.iter().position(|n| n == name).expect("a name of this operand");
        let order: Vec<usize> = groups.iter().flat_map(|(names, _)| names.iter().map(place)).collect();
        let size = |name: &Name| self.tensor.shape()[place(name)];
        let shape: Shape = groups
            .iter()
            .flat_map(|(names, merged)| match merged {
                true => vec![names.iter().map(size).product()],
                false => names.iter().map(size).collect(),
            })
            .collect();
        self.tensor.permute(order).reshape(shape)
    }

    /// The product with another operand, summed over the names that are in both and not needed any more.
    #[track_caller]
    fn times(&self, other: &Self, needed: impl Fn(Name) -> bool) -> Self {
        let pick = |names: &[Name], rule: &dyn Fn(Name) -> bool| -> Vec<Name> {
            names.iter().copied().filter(|&name| rule(name)).collect()
        };
        let shared = |name| other.names.contains(&name);
        let batch = pick(&self.names, &|name| shared(name) && needed(name));
        let summed = pick(&self.names, &|name| shared(name) && !needed(name));
        let rows = pick(&self.names, &|name| !shared(name));
        let cols = pick(&other.names, &|name| !self.names.contains(&name));
        let names = [&batch[..], &rows, &cols].concat();
        let shape: Shape =
            names.iter().map(|&name| self.size(name).or(other.size(name)).expect("a name of one of them")).collect();
        let product = if summed.is_empty() {
            let ones = vec![1; cols.len()];
            let left = self.arrange(&[(&batch, false), (&rows, false)]);
            let left_shape: Shape = left.shape().iter().copied().chain(ones).collect();
            let mut right = other.arrange(&[(&batch, false), (&cols, false)]);
            for _ in &rows {
                right = right.unsqueeze(batch.len());
            }
            left.reshape(left_shape) * right
        } else {
            let left = self.arrange(&[(&batch, false), (&rows, true), (&summed, true)]);
            left.matmul(&other.arrange(&[(&batch, false), (&summed, true), (&cols, true)]))
        };
        Term { tensor: product.reshape(shape), names }
    }
}

/// The first two places with the same name.
fn twice(names: &[Name]) -> Option<(usize, usize)> {
    (0..names.len()).find_map(|i| (i + 1..names.len()).find(|&j| names[j] == names[i]).map(|j| (i, j)))
}

/// Gives every dimension the size that its name has elsewhere, where its own is 1.
#[track_caller]
fn broadcast<T: Real>(terms: &mut [Term<T>], equation: &str) {
    for i in 0..terms.len() {
        let full = |d: usize| -> usize {
            let (own, name) = (terms[i].tensor.shape()[d], terms[i].names[d]);
            let mut sizes = terms.iter().filter_map(|term| term.size(name)).filter(|&n| n != 1);
            if own == 1 {
                return sizes.next().unwrap_or(1);
            }
            if let Some(other) = sizes.find(|&n| n != own) {
                panic!("einsum: in {equation:?}, dimension {d} of operand {i} has size {own}, and {other} elsewhere");
            }
            own
        };
        let shape: Shape = (0..terms[i].names.len()).map(full).collect();
        if &shape != terms[i].tensor.shape() {
            terms[i].tensor = terms[i].tensor.broadcast_to(shape);
        }
    }
}

impl<T: Real> Tensor<T> {
    /// The sum of products that an equation such as `"bij,bjk->bik"` describes.
    ///
    /// # Panics
    /// If the equation is malformed, or does not fit the operands and their shapes.
    #[track_caller]
    pub fn einsum(equation: &str, operands: &[&Self]) -> Self {
        let compact: String = equation.chars().filter(|c| !c.is_whitespace()).collect();
        let (inputs, output) = match compact.split_once("->") {
            Some((inputs, output)) => (inputs, Some(output)),
            None => (compact.as_str(), None),
        };
        let lists: Vec<&str> = inputs.split(',').collect();
        assert!(
            lists.len() == operands.len(),
            "einsum: {equation:?} describes {} operands, not {}",
            lists.len(),
            operands.len()
        );
        // How many dimensions the dots of each operand stand for.
        let dots = |(list, x): (&&str, &&Self)| {
            let letters = list.replacen("...", "", 1).chars().count();
            let fits = if list.contains("...") { letters <= x.rank() } else { letters == x.rank() };
            assert!(fits, "einsum: {list:?} in {equation:?} does not name the dimensions of shape {}", x.shape());
            x.rank() - letters
        };
        let dots: Vec<usize> = lists.iter().zip(operands).map(dots).collect();
        let most = dots.iter().copied().max().unwrap_or(0);
        let term = |((list, &x), &dots): ((&&str, &&Self), &usize)| {
            let names = parse(list, equation, dots, most);
            Term { tensor: x.clone(), names }.diagonals(equation)
        };
        let mut terms: Vec<Term<T>> = lists.iter().zip(operands).zip(&dots).map(term).collect();

        let count = |name: Name| lists.iter().zip(&dots).flat_map(|(list, &dots)| parse(list, equation, dots, most)).filter(|&n| n == name).count();
        let result = match output {
            Some(list) => parse(list, equation, most, most),
            None => {
                let mut names: Vec<Name> = terms.iter().flat_map(|term| term.names.clone()).collect();
                names.sort();
                names.dedup();
                names.retain(|&name| matches!(name, Name::Dots(_)) || count(name) == 1);
                names
            }
        };
        let known = |name: &Name| terms.iter().any(|term| term.names.contains(name));
        assert!(
            result.iter().all(known) && twice(&result).is_none(),
            "einsum: the result of {equation:?} must name dimensions of its operands, each once"
        );

        broadcast(&mut terms, equation);
        let mut terms = terms.into_iter().collect::<std::collections::VecDeque<_>>();
        let Some(mut product) = terms.pop_front() else { unreachable!("an equation has an operand") };
        while let Some(next) = terms.pop_front() {
            let later = |name: Name| result.contains(&name) || terms.iter().any(|term| term.names.contains(&name));
            let (left, right) = (product.names.clone(), next.names.clone());
            product = product.sum_but(|name| later(name) || right.contains(&name));
            let next = next.sum_but(|name| later(name) || left.contains(&name));
            product = product.times(&next, later);
        }
        product = product.sum_but(|name| result.contains(&name));
        product.arrange(&[(&result, false)])
    }
}

#[cfg(test)]
mod tests {
    use crate::Tensor;
    use crate::ops::check;

    #[test]
    fn worked_example() {
        let (a, b) = (Tensor::<f32>::arange(6).reshape([2, 3]), Tensor::<f32>::arange(12).reshape([3, 4]));
        let einsum = |equation: &str, x: &[&Tensor]| Tensor::einsum(equation, x).to_vec();
        assert_eq!(einsum("ij,jk->ik", &[&a, &b]), a.matmul(&b).to_vec());
        assert_eq!(einsum("ij, jk", &[&a, &b]), a.matmul(&b).to_vec());
        assert_eq!(einsum("ij->ji", &[&a]), a.t().to_vec());
        assert_eq!(einsum("ij->", &[&a]), [15.]);
        assert_eq!(einsum("ba", &[&a]), a.t().to_vec());
        assert_eq!(einsum("ii", &[&Tensor::eye(3)]), [3.]);
        assert_eq!(einsum("ii->i", &[&b.narrow(1, 0, 3)]), [0., 5., 10.]);
        assert_eq!(einsum("ij,ij->ij", &[&a, &a]), (&a * &a).to_vec());
        assert_eq!(einsum("i,j->ji", &[&a.select(0, 0), &a.select(1, 1)]), [0., 1., 2., 0., 4., 8.]);
        assert_eq!(einsum("...j->...", &[&a]), [3., 12.]);
        assert_eq!(einsum("...ij,...jk->...ik", &[&a.broadcast_to([4, 2, 3]), &b]), a.matmul(&b).repeat([4, 1]).to_vec());
        assert_eq!(einsum("ij,ik,il->jkl", &[&a, &a, &a]).len(), 27);
    }

    #[test]
    fn gradcheck() {
        let (a, b) = (check::random([2, 3], -1.0, 1.0), check::random([3, 4], -1.0, 1.0));
        let c = check::random([4, 2, 3], -1.0, 1.0);
        for (equation, inputs) in [
            ("ij,jk->ki", &[&a, &b][..]),
            ("ij,jk,kil->l", &[&a, &b, &c]),
            ("...ij,jk->...k", &[&c, &b]),
            ("ij,kij->kj", &[&a, &c]),
            ("i...->...", &[&c]),
            ("iij->j", &[&check::random([2, 2, 3], -1.0, 1.0)]),
            ("ij,jk->ik", &[&check::random([2, 1], -1.0, 1.0), &b]),
            ("ij,jk->ik", &[&check::random([2, 0], -1.0, 1.0), &check::random([0, 3], -1.0, 1.0)]),
        ] {
            check::gradients(|x| Tensor::einsum(equation, &x.iter().collect::<Vec<_>>()), inputs);
        }
        check::gradients(|x| Tensor::einsum("ji,ij->i", &[&x[0].t(), &x[0]]), &[&a]);
    }

    #[test]
    #[should_panic(expected = "einsum: in \"ij,jk->ik\", dimension 1 of operand 0 has size 3, and 4 elsewhere")]
    fn sizes_must_agree() {
        let _ = Tensor::einsum("ij,jk->ik", &[&Tensor::<f32>::zeros([4, 3]), &Tensor::zeros([4, 2])]);
    }

    #[test]
    #[should_panic(expected = "einsum: the result of \"ij->k\" must name dimensions of its operands, each once")]
    fn the_result_is_made_of_operands() {
        let _ = Tensor::einsum("ij->k", &[&Tensor::<f32>::zeros([4, 3])]);
    }
}
