//! Areas of an image whose windows have the same elements in the padding: nothing is multiplied with those.
//!
//! ```text
//! windows of 3x3 elements,       a a b b b c c        a, c, g, i: 4 elements of a window lie in the image
//! dilation 2, padding 2,         a a b b b c c        b, d, f, h: 6
//! on an image of 7x7:            d d e e e f f        e:          9
//!                                d d e e e f f
//!                                d d e e e f f
//!                                g g h h h i i
//!                                g g h h h i i
//! ```
//!
//! Along each dimension there are up to three bands, as here. Areas that are too small to be worth a product stay together.

use std::ops::Range;

use super::Conv2d;
use super::ways::Way;
use crate::gemm::MAX_LANES;

/// Which windows along one dimension have an element in the image.
pub(super) struct Reach {
    windows: usize,
    /// For each element of a window; there may be no windows.
    inside: Vec<Range<usize>>,
}

impl Reach {
    /// Of windows that are `pace` apart, with elements that stand at `places` from the first window's, in an image of `size`.
    pub(super) fn new(windows: usize, pace: usize, places: impl Iterator<Item = Option<isize>>, size: usize) -> Self {
        let before = |place: isize, end: usize| ((end as isize - place).max(0) as usize).div_ceil(pace).min(windows);
        let inside = |place: Option<isize>| place.map_or(0..0, |place| before(place, 0)..before(place, size));
        Reach { windows, inside: places.map(inside).collect() }
    }

    /// Of the windows of the forward pass along dimension `d`.
    pub(super) fn forward(geometry: &Conv2d, d: usize) -> Self {
        let Conv2d { input, kernel, stride, padding, dilation, .. } = *geometry;
        let place = |u: usize| Some((u * dilation[d]) as isize - padding[d] as isize);
        Reach::new(geometry.output()[d], stride[d], (0..kernel[d]).map(place), input[d])
    }

    /// Up to three bands of windows: those where most is saved by leaving out elements at the start and at the end.
    fn bands(&self) -> Vec<Range<usize>> {
        let alive = || self.inside.iter().filter(|inside| !inside.is_empty());
        // Those windows, and the elements that none of them has in the image.
        let first = |end: usize| end * alive().filter(|inside| inside.start >= end).count();
        let last = |start: usize| (self.windows - start) * alive().filter(|inside| inside.end <= start).count();
        let mut cuts = [
            alive().map(|inside| inside.start).max_by_key(|&end| first(end)).unwrap_or(0),
            alive().map(|inside| inside.end).max_by_key(|&start| last(start)).unwrap_or(self.windows),
        ];
        cuts.sort_unstable();
        let bands = [0..cuts[0], cuts[0]..cuts[1], cuts[1]..self.windows];
        bands.into_iter().filter(|band| !band.is_empty()).collect()
    }

    /// Whether some window of a band has element `u` in the image.
    fn reaches(&self, band: &Range<usize>, u: usize) -> bool {
        self.inside[u].start < band.end && band.start < self.inside[u].end
    }
}

/// Some rows and columns of windows.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Area {
    pub(super) rows: Range<usize>,
    pub(super) columns: Range<usize>,
}

impl Area {
    /// Whether a window here has element `at`, row and column, in the image.
    pub(super) fn reaches(&self, reach: &[Reach; 2], at: [usize; 2]) -> bool {
        reach[0].reaches(&self.rows, at[0]) && reach[1].reaches(&self.columns, at[1])
    }

    /// How many elements the windows have in the image, somewhere.
    fn elements(&self, [down, across]: &[Reach; 2]) -> usize {
        let count = |reach: &Reach, band| (0..reach.inside.len()).filter(|&u| reach.reaches(band, u)).count();
        count(down, &self.rows) * count(across, &self.columns)
    }
}

/// The products that are cut: those of the windows of `batch` samples, `together` in one, over `channels`, with `outputs`.
#[derive(Clone, Copy)]
pub(super) struct Work {
    pub(super) batch: usize,
    pub(super) together: usize,
    pub(super) channels: usize,
    pub(super) outputs: usize,
    /// How windows are read.
    pub(super) way: Way,
}

impl Work {
    /// The time of some areas, in that of a multiplication and addition.
    fn time(&self, reach: &[Reach; 2], areas: &[Area]) -> usize {
        let &Work { batch, together, channels, outputs, way } = self;
        let one = |area: &Area| {
            let (rows, windows) = (area.rows.len(), area.rows.len() * area.columns.len());
            let blocks = batch.div_ceil(together);
            let tile = if way == Way::Standing { 1 } else { 2 * MAX_LANES };
            let full = (together * windows).next_multiple_of(tile) * blocks;
            let packed = if way == Way::Rows { 80 * batch * rows } else { 0 };
            let weights = channels * outputs * area.elements(reach);
            // Each product fetches the weights. Parts of an image are put in place, and have weights of their own.
            let apart = 40 * (weights + outputs * batch * windows) + 100_000 * blocks;
            let apart = if areas.len() > 1 { apart } else { 0 };
            weights * (full + 30 * blocks) + area.elements(reach) * channels * packed + apart
        };
        areas.iter().map(one).sum()
    }

    /// The areas that take least time together, and how much that is of the time of the image as a whole.
    pub(super) fn cut(&self, reach: &[Reach; 2]) -> (Vec<Area>, f64) {
        let whole = reach.each_ref().map(|reach| 0..reach.windows);
        let bands = reach.each_ref().map(Reach::bands);
        if bands.iter().all(|bands| bands.len() == 1) {
            let [rows, columns] = whole;
            return (vec![Area { rows, columns }], 1.0);
        }
        let ([down, across], [rows, columns]) =
            (whole.each_ref().map(std::slice::from_ref), bands.each_ref().map(|bands| &bands[..]));
        let ways = [[down, across], [rows, across], [down, columns], [rows, columns]];
        let ways = ways.map(|[rows, columns]| {
            let pairs = rows.iter().flat_map(|rows| columns.iter().map(move |columns| (rows.clone(), columns.clone())));
            let areas: Vec<_> = pairs.map(|(rows, columns)| Area { rows, columns }).collect();
            (self.time(reach, &areas), areas)
        });
        let uncut = ways[0].0.max(1) as f64;
        let (least, areas) = ways.into_iter().min_by_key(|&(time, _)| time).expect("there are some");
        (areas, least as f64 / uncut)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conv::tests::square;

    const WORK: Work = Work { batch: 64, together: 64, channels: 1000, outputs: 1000, way: Way::Standing };

    /// The elements of windows that are multiplied.
    fn multiplied(geometry: &Conv2d) -> usize {
        let reach = [0, 1].map(|d| Reach::forward(geometry, d));
        let (areas, _) = WORK.cut(&reach);
        areas.iter().map(|area| area.elements(&reach) * area.rows.len() * area.columns.len()).sum()
    }

    #[test]
    fn distant_elements_are_left_out() {
        // Along a side, of three elements, 15, 33 and 15 windows have them in the image.
        assert_eq!(multiplied(&square([1, 1, 1], 33, [3, 1, 18, 18, 1])), 63 * 63);
        assert_eq!(multiplied(&square([1, 1, 1], 33, [3, 1, 0, 1, 1])), 31 * 31 * 9);
        // Twice two rows of nine leave out three elements.
        assert_eq!(multiplied(&square([1, 1, 1], 17, [11, 2, 5, 1, 1])), (9 * 11 - 2 * 2 * 3) * (9 * 11 - 2 * 2 * 3));
    }

    #[test]
    fn areas_cover_the_image_and_have_what_is_in_it() {
        for size in 1..9 {
            for [kernel, stride, padding, dilation] in
                [[3, 1, 2, 1], [3, 2, 1, 3], [2, 1, 5, 2], [5, 3, 4, 1], [1, 1, 3, 1]]
            {
                let geometry = square([1, 1, 1], size, [kernel, stride, padding, dilation, 1]);
                let reach = [0, 1].map(|d| Reach::forward(&geometry, d));
                let (areas, _) = WORK.cut(&reach);
                let [height, width] = geometry.output();
                let mut covered = vec![0; height * width];
                for area in &areas {
                    for (i, j) in area.rows.clone().flat_map(|i| area.columns.clone().map(move |j| (i, j))) {
                        covered[i * width + j] += 1;
                        for (u, v) in (0..kernel).flat_map(|u| (0..kernel).map(move |v| (u, v))) {
                            let inside = |at: usize| (padding..padding + size).contains(&at);
                            if inside(i * stride + u * dilation) && inside(j * stride + v * dilation) {
                                assert!(area.reaches(&reach, [u, v]), "{u}, {v} of {area:?} of {geometry:?}");
                            }
                        }
                    }
                }
                assert!(covered.iter().all(|&times| times == 1), "{areas:?} of {geometry:?}");
            }
        }
    }
}
