//! [`Confusion`]: which class was taken for which, and what follows from it.

/// Counts of samples by their true class (row) and the predicted one (column).
///
/// Precision, recall and F1 are macro averages: the plain mean over classes, each 0 where its denominator is, as
/// scikit-learn's `precision_recall_fscore_support(average="macro", zero_division=0)`. A class that is neither among the
/// labels nor among the predictions is left out of the mean.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Confusion {
    classes: usize,
    counts: Vec<usize>,
}

impl Confusion {
    /// No samples yet.
    pub fn new(classes: usize) -> Self {
        Confusion { classes, counts: vec![0; classes * classes] }
    }

    /// Counts one sample.
    ///
    /// # Panics
    /// If a class is out of range.
    #[track_caller]
    pub fn add(&mut self, truth: usize, predicted: usize) {
        assert!(truth < self.classes && predicted < self.classes, "Confusion: there are {} classes", self.classes);
        self.counts[truth * self.classes + predicted] += 1;
    }

    /// The number of classes.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// How many samples of class `truth` were taken for `predicted`.
    pub fn count(&self, truth: usize, predicted: usize) -> usize {
        self.counts[truth * self.classes + predicted]
    }

    /// The number of samples.
    pub fn total(&self) -> usize {
        self.counts.iter().sum()
    }

    /// The share of samples whose class was predicted; 0 without samples.
    pub fn accuracy(&self) -> f64 {
        ratio((0..self.classes).map(|c| self.count(c, c)).sum(), self.total())
    }

    /// Of the samples taken for a class, the share that is of it.
    pub fn precision_of(&self, class: usize) -> f64 {
        ratio(self.count(class, class), self.predicted(class))
    }

    /// Of the samples of a class, the share that was taken for it.
    pub fn recall_of(&self, class: usize) -> f64 {
        ratio(self.count(class, class), self.support(class))
    }

    /// The harmonic mean of a class's precision and recall.
    pub fn f1_of(&self, class: usize) -> f64 {
        ratio(2 * self.count(class, class), self.predicted(class) + self.support(class))
    }

    /// The mean precision over classes.
    pub fn precision(&self) -> f64 {
        self.macro_average(|c| self.precision_of(c))
    }

    /// The mean recall over classes.
    pub fn recall(&self) -> f64 {
        self.macro_average(|c| self.recall_of(c))
    }

    /// The mean F1 over classes.
    pub fn f1(&self) -> f64 {
        self.macro_average(|c| self.f1_of(c))
    }

    fn support(&self, class: usize) -> usize {
        (0..self.classes).map(|predicted| self.count(class, predicted)).sum()
    }

    fn predicted(&self, class: usize) -> usize {
        (0..self.classes).map(|truth| self.count(truth, class)).sum()
    }

    fn macro_average(&self, of: impl Fn(usize) -> f64) -> f64 {
        let seen: Vec<usize> = (0..self.classes).filter(|&c| self.support(c) + self.predicted(c) > 0).collect();
        if seen.is_empty() { 0.0 } else { seen.iter().map(|&c| of(c)).sum::<f64>() / seen.len() as f64 }
    }
}

fn ratio(part: usize, whole: usize) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_scikit_learn() {
        // precision_recall_fscore_support([0,0,0,1,1,2], [0,0,1,1,2,2], average="macro").
        let mut confusion = Confusion::new(3);
        for (truth, predicted) in [(0, 0), (0, 0), (0, 1), (1, 1), (1, 2), (2, 2)] {
            confusion.add(truth, predicted);
        }
        assert_eq!((confusion.total(), confusion.count(0, 1)), (6, 1));
        let close = |a: f64, b: f64| (a - b).abs() < 1e-12;
        assert!(close(confusion.accuracy(), 4.0 / 6.0));
        assert!(close(confusion.precision(), (1.0 + 0.5 + 0.5) / 3.0));
        assert!(close(confusion.recall(), (2.0 / 3.0 + 0.5 + 1.0) / 3.0));
        assert!(close(confusion.f1(), (0.8 + 0.5 + 2.0 / 3.0) / 3.0));
    }

    #[test]
    fn absent_classes_do_not_count_but_missed_ones_do() {
        let mut confusion = Confusion::new(4);
        confusion.add(0, 0);
        confusion.add(1, 0);
        assert_eq!((confusion.precision(), confusion.recall()), (0.25, 0.5));
        assert_eq!(Confusion::new(2).accuracy(), 0.0);
        assert_eq!(Confusion::new(2).f1(), 0.0);
    }
}
