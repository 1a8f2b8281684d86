//! Numbers that stand evenly apart, one after the other with those of a row.
//!
//! With a fixed step and without checks of indices these are loops over registers.

/// Bytes after which addresses look alike to the CPU's check of reads against writes.
const PAGE: usize = 4096;
/// How far a read may be behind a write in such a page, in bytes, to be taken for one of the same place.
const NEAR: usize = 1024;
/// Numbers that are copied forward all the same.
const RUN: usize = 64;

/// `take(to[i], from[i * step])` for each of `to`. `from` may end behind the last one.
#[inline(always)]
pub(crate) fn gather<T: Copy>(step: usize, from: &[T], to: &mut [T], take: impl Fn(&mut T, T)) {
    match step {
        1 => to.iter_mut().zip(from).for_each(|(to, &from)| take(to, from)),
        2 => gather_fixed::<T, 2>(from, to, take),
        3 => gather_fixed::<T, 3>(from, to, take),
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

/// Copies numbers; from the last to the first where the two places differ by so little modulo a page that each read would wait
/// for the write before it, which the CPU takes for one to the same place.
#[inline(always)]
pub(crate) fn copy<T: Copy>(from: &[T], to: &mut [T]) {
    let ahead = to.as_ptr().addr().wrapping_sub(from.as_ptr().addr()) % PAGE;
    if to.len() <= RUN {
        return short(from, to);
    }
    if ahead == 0 || ahead >= NEAR {
        return to.copy_from_slice(from);
    }
    to.rchunks_mut(RUN).zip(from.rchunks(RUN)).for_each(|(to, from)| to.copy_from_slice(from));
}

/// Copies up to [`RUN`] numbers without a call: the first and the last ones of a length, which may overlap.
#[inline(always)]
fn short<T: Copy>(from: &[T], to: &mut [T]) {
    assert_eq!(from.len(), to.len(), "a copy is as long as what is copied");
    match to.len() {
        0 => {}
        1 => to[0] = from[0],
        2..4 => ends::<T, 2>(from, to),
        4..8 => ends::<T, 4>(from, to),
        8..16 => ends::<T, 8>(from, to),
        16..32 => ends::<T, 16>(from, to),
        _ => ends::<T, 32>(from, to),
    }
}

/// Copies the first and the last `N` of at least `N` numbers.
#[inline(always)]
fn ends<T: Copy, const N: usize>(from: &[T], to: &mut [T]) {
    if let (Some(to), Some(from)) = (to.first_chunk_mut::<N>(), from.first_chunk()) {
        *to = *from;
    }
    if let (Some(to), Some(from)) = (to.last_chunk_mut::<N>(), from.last_chunk()) {
        *to = *from;
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

/// `to[i * step] = from[i]` for each of `from`, and `among` for all others of `to`.
#[inline(always)]
pub(crate) fn spread<T: Copy>(step: usize, from: &[T], to: &mut [T], among: T) {
    match step {
        2 => spread_fixed::<T, 2>(from, to, among),
        3 => spread_fixed::<T, 3>(from, to, among),
        4 => spread_fixed::<T, 4>(from, to, among),
        _ => {
            to.fill(among);
            scatter(step, from, to, |to, from| *to = from);
        }
    }
}

#[inline(always)]
fn spread_fixed<T: Copy, const STEP: usize>(from: &[T], to: &mut [T], among: T) {
    let groups = from.len().min(to.len() / STEP);
    let (whole, rest) = to.split_at_mut(groups * STEP);
    for (group, &from) in whole.as_chunks_mut::<STEP>().0.iter_mut().zip(from) {
        *group = [among; STEP];
        group[0] = from;
    }
    rest.fill(among);
    if let (Some(to), Some(&from)) = (rest.first_mut(), from.get(groups)) {
        *to = from;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_are_copies() {
        let from: Vec<u32> = (0..3000).collect();
        let mut to = vec![0; 5000];
        for len in 0..2 * RUN {
            to.fill(0);
            copy(&from[5..][..len], &mut to[1..][..len]);
            assert!(to[0] == 0 && to[1..][..len] == from[5..][..len] && to[len + 1] == 0, "{len} numbers");
        }
        for (start, len) in (0..1100).step_by(7).flat_map(|start| [0, 1, 64, 65, 2999].map(|len| (start, len))) {
            to.fill(0);
            copy(&from[..len], &mut to[start..][..len]);
            assert!(to[start..][..len] == from[..len] && to[start + len] == 0);
        }
    }

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
            for behind in 0..2 * step {
                let mut got = vec![2000; len + behind];
                spread(step, &numbers[..count], &mut got, 1000);
                let want = |i: usize| if i.is_multiple_of(step) && i < len { numbers[i / step] } else { 1000 };
                assert!((0..got.len()).all(|i| got[i] == want(i)), "{count} with step {step}, {behind} behind");
            }
        }
    }
}
