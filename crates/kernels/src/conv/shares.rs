//! How the gradient of the weights is cut into pieces of work: some channels of a group, over a fixed share of the blocks of
//! samples. The shares of the same channels are added up in order at the end.

use std::ops::Range;

use super::Conv2d;

/// Pieces, at least, if there are as many blocks of samples.
const PIECES: usize = 8;

/// A cut.
pub(super) struct Shares<'a> {
    geometry: &'a Conv2d,
    /// Channels of a piece, and how many pieces a group's channels come to.
    strip: usize,
    strips: usize,
    /// Blocks of samples.
    blocks: usize,
    /// Each takes room for all weights.
    pub(super) count: usize,
}

/// A piece of work.
pub(super) struct Piece {
    share: usize,
    pub(super) group: usize,
    /// Of the group.
    pub(super) channels: Range<usize>,
    pub(super) blocks: Range<usize>,
}

impl<'a> Shares<'a> {
    /// Pieces of up to `strip` channels.
    pub(super) fn new(geometry: &'a Conv2d, strip: usize, blocks: usize) -> Self {
        let strips = geometry.group_in().div_ceil(strip);
        Shares { geometry, strip, strips, blocks, count: PIECES.div_ceil(strips * geometry.groups).min(blocks) }
    }

    pub(super) fn pieces(&self) -> usize {
        self.count * self.geometry.groups * self.strips
    }

    /// Piece `i`.
    pub(super) fn piece(&self, i: usize) -> Piece {
        let Shares { geometry, strip, strips, blocks, count } = *self;
        let (share, group, part) = (i / strips / geometry.groups, i / strips % geometry.groups, i % strips);
        Piece {
            share,
            group,
            channels: part * strip..geometry.group_in().min((part + 1) * strip),
            blocks: blocks * share / count..blocks * (share + 1) / count,
        }
    }

    /// Where the weights from a piece's channels to output `o` of its group start, among those of all shares.
    pub(super) fn place(&self, piece: &Piece, o: usize) -> usize {
        let (outputs, group_out) = (self.geometry.out_channels, self.geometry.group_out());
        let row = piece.share * outputs + piece.group * group_out + o;
        (row * self.geometry.group_in() + piece.channels.start) * self.geometry.taps()
    }
}
