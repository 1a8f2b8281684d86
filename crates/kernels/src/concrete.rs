//! `concrete!`: compiles generic kernels for `f32` and `f64` in this crate.

/// Declares public entry points `fn name<T: Real>(..)` whose generic bodies are compiled here, once for each number type,
/// instead of in every crate that calls them.
///
/// The named trait carries the two instances; it is a supertrait of [`Real`](crate::Real).
macro_rules! concrete {
    (
        <$T:ident> trait $Trait:ident;
        $( $(#[$meta:meta])* $vis:vis fn $name:ident ( $( $arg:ident : $ty:ty ),* $(,)? ) $( -> $ret:ty )? = $body:path; )*
    ) => {
        #[doc(hidden)]
        #[allow(missing_docs, clippy::too_many_arguments)]
        pub trait $Trait<$T> {
            $( fn $name($($arg: $ty),*) $(-> $ret)?; )*
        }
        const _: () = {
            type $T = f32;
            impl $Trait<$T> for $T {
                $( #[inline(never)] fn $name($($arg: $ty),*) $(-> $ret)? { $body($($arg),*) } )*
            }
        };
        const _: () = {
            type $T = f64;
            impl $Trait<$T> for $T {
                $( #[inline(never)] fn $name($($arg: $ty),*) $(-> $ret)? { $body($($arg),*) } )*
            }
        };
        $(
            $(#[$meta])*
            #[inline]
            #[allow(clippy::too_many_arguments)]
            $vis fn $name<$T: $crate::Real>($($arg: $ty),*) $(-> $ret)? {
                <$T as $Trait<$T>>::$name($($arg),*)
            }
        )*
    };
}
