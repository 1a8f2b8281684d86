//! Numbers that stand evenly apart, one after the other with those of a row.
//!
//! With a fixed step and without checks of indices these are loops over registers.

/// `take(to[i], from[i * step])` for each of `to`. `from` may end behind the last one.
#[inline(always)]
pub(crate) fn gather<T: Copy>(step: usize, from: &[T], to: &mut [T], take: impl Fn(&mut T, T)) {
    match step {
        1 => to.iter_mut().zip(from).for_each(|(to, &from)| take(to, from)),
        2 => gather_fixed::<T, 2>(from, to, take),
        4 => gather_fixed::<T, 4>(from, to, take),
        _ => to.iter_mut().zip(from.chunks(step)).for_each(|(to, group)| take(to, group[0])),
    }
}

#[inline(always)]
fn gather_fixed<T: Copy, const STEP: usize>(from: &[T], to: &mut [T], take: impl Fn(&mut T, T)) {
    let (groups, rest) = from.as_chunks::<STEP>();
    to.iter_mut().zip(groups).for_each(|(to, group)| take(to, group[0]));
    if let (Some(to), Some(&from)) = (to.get_mut(groups.len()), rest.first()) {
        take(to, from);
    }
}

/// `put(to[i * step], from[i])` for each of `from`. `to` may end behind the last one.
#[inline(always)]
pub(crate) fn scatter<T: Copy>(step: usize, from: &[T], to: &mut [T], put: impl Fn(&mut T, T)) {
    match step {
        1 => to.iter_mut().zip(from).for_each(|(to, &from)| put(to, from)),
        _ => to.chunks_mut(step).zip(from).for_each(|(to, &from)| put(&mut to[0], from)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_agree_with_plain_indices() {
        let numbers: Vec<usize> = (1..100).collect();
        for (step, count) in (1..7).flat_map(|step| (1..15).map(move |count| (step, count))) {
            let len = (count - 1) * step + 1;
            let mut got = vec![1000; count];
            gather(step, &numbers[..len], &mut got, |to, from| *to += from);
            assert!(got.iter().enumerate().all(|(i, &x)| x == 1000 + numbers[i * step]), "{count} with step {step}");
            let mut got = vec![0; len];
            scatter(step, &numbers[..count], &mut got, |to, from| *to = from);
            assert!((0..len).all(|i| got[i] == if i % step == 0 { numbers[i / step] } else { 0 }));
        }
    }
}
