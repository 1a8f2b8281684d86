//! `+ - * /` and unary minus between tensors and numbers, owned and borrowed.
//!
//! A number is a tensor of no dimension, which broadcasts against every shape. An owned operand lends its memory to the
//! result where nobody else sees it.

use crate::Tensor;
use chainrule_kernels::Real;
use std::ops::{Add, Div, Mul, Neg, Sub};

macro_rules! operator {
    ($Trait:ident, $method:ident, $owned:ident) => {
        impl<T: Real> $Trait<&Tensor<T>> for &Tensor<T> {
            type Output = Tensor<T>;
            #[track_caller]
            fn $method(self, other: &Tensor<T>) -> Tensor<T> {
                Tensor::$method(self, other)
            }
        }
        impl<T: Real> $Trait<Tensor<T>> for &Tensor<T> {
            type Output = Tensor<T>;
            #[track_caller]
            fn $method(self, other: Tensor<T>) -> Tensor<T> {
                Tensor::$method(self, &other)
            }
        }
        impl<T: Real> $Trait<&Tensor<T>> for Tensor<T> {
            type Output = Tensor<T>;
            #[track_caller]
            fn $method(self, other: &Tensor<T>) -> Tensor<T> {
                self.$owned(other)
            }
        }
        impl<T: Real> $Trait<Tensor<T>> for Tensor<T> {
            type Output = Tensor<T>;
            #[track_caller]
            fn $method(self, other: Tensor<T>) -> Tensor<T> {
                self.$owned(&other)
            }
        }
        impl<T: Real> $Trait<T> for &Tensor<T> {
            type Output = Tensor<T>;
            #[track_caller]
            fn $method(self, number: T) -> Tensor<T> {
                Tensor::$method(self, &Tensor::scalar(number))
            }
        }
        impl<T: Real> $Trait<T> for Tensor<T> {
            type Output = Tensor<T>;
            #[track_caller]
            fn $method(self, number: T) -> Tensor<T> {
                self.$owned(&Tensor::scalar(number))
            }
        }
        operator!(@number $Trait, $method, f32);
        operator!(@number $Trait, $method, f64);
    };
    (@number $Trait:ident, $method:ident, $t:ident) => {
        impl $Trait<&Tensor<$t>> for $t {
            type Output = Tensor<$t>;
            #[track_caller]
            fn $method(self, tensor: &Tensor<$t>) -> Tensor<$t> {
                Tensor::$method(&Tensor::scalar(self), tensor)
            }
        }
        impl $Trait<Tensor<$t>> for $t {
            type Output = Tensor<$t>;
            #[track_caller]
            fn $method(self, tensor: Tensor<$t>) -> Tensor<$t> {
                Tensor::$method(&Tensor::scalar(self), &tensor)
            }
        }
    };
}
operator!(Add, add, add_owned);
operator!(Sub, sub, sub_owned);
operator!(Mul, mul, mul_owned);
operator!(Div, div, div_owned);

impl<T: Real> Neg for &Tensor<T> {
    type Output = Tensor<T>;
    #[track_caller]
    fn neg(self) -> Tensor<T> {
        Tensor::neg(self)
    }
}
impl<T: Real> Neg for Tensor<T> {
    type Output = Tensor<T>;
    #[track_caller]
    fn neg(self) -> Tensor<T> {
        self.neg_owned()
    }
}

#[cfg(test)]
mod tests {
    use crate::Tensor;

    #[test]
    fn every_combination() {
        let (a, b) = (Tensor::from([6.0f32, 8.0]), Tensor::from([2.0f32, 4.0]));
        let expected = [8.0, 12.0];
        for sum in [&a + &b, &a + b.clone(), a.clone() + &b, a.clone() + b.clone()] {
            assert_eq!(sum.to_vec(), expected);
        }
        assert_eq!((&a - &b).to_vec(), [4.0, 4.0]);
        assert_eq!((&a * 2.0).to_vec(), [12.0, 16.0]);
        assert_eq!((2.0 * &a).to_vec(), [12.0, 16.0]);
        assert_eq!((1.0 - &a).to_vec(), [-5.0, -7.0]);
        assert_eq!((24.0 / a.clone()).to_vec(), [4.0, 3.0]);
        assert_eq!((-a).to_vec(), [-6.0, -8.0]);
    }

    #[test]
    fn owned_memory_is_reused_only_when_unseen() {
        let a = Tensor::from([1.0f32, 2.0]);
        let start = a.as_slice().unwrap().as_ptr();
        let kept = a.clone();
        assert_ne!((a + 1.0).as_slice().unwrap().as_ptr(), start);
        assert_eq!(kept.to_vec(), [1.0, 2.0]);
        let sum = kept + 1.0;
        assert_eq!(sum.as_slice().unwrap().as_ptr(), start);
        assert_eq!(sum.to_vec(), [2.0, 3.0]);
    }

    #[test]
    fn saved_values_survive_owned_use() {
        let x = Tensor::from([2.0f32]).requires_grad();
        let y = &x * &x;
        let z = y.exp();
        let grads = (z * 3.0).sum().backward();
        assert!((grads.get(&x).unwrap().item() - 3.0 * 4f32.exp() * 4.0).abs() < 1e-2);
    }
}
