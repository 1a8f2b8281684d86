//! The stratified split: each class keeps its share in both parts.
//!
//! For a class of `c` samples and the training fraction `f`, `floor(f c)` samples go to training; what is missing to
//! `round(f n)` samples in all goes to the classes with the largest remainders `f c - floor(f c)`, one each (the
//! method of largest remainders). A class of two or more samples has at least one in each part.

use chainrule_tensor::Rng;

use crate::Dataset;

impl Dataset {
    /// Cuts the set in a training and a test part, at random but with every class in the same proportion.
    ///
    /// The training part has `train_fraction` of each class, to within one sample; a class of two or more has at least
    /// one sample in each part. Both parts come shuffled. The same generator state gives the same parts.
    ///
    /// # Panics
    /// If `train_fraction` is not between 0 and 1 (both excluded), or if there is only one sample.
    #[track_caller]
    pub fn split(&self, train_fraction: f64, rng: &mut Rng) -> (Self, Self) {
        assert!(
            train_fraction > 0.0 && train_fraction < 1.0,
            "split: the training fraction must lie between 0 and 1, got {train_fraction}"
        );
        assert!(self.len() > 1, "split: a single sample cannot be split in two parts");

        let mut members = vec![Vec::new(); self.num_classes()];
        for (row, &label) in self.labels().iter().enumerate() {
            members[label].push(row);
        }
        let (mut train, mut test) = (Vec::new(), Vec::new());
        for (mut rows, count) in members.into_iter().zip(train_counts(&self.class_counts(), train_fraction)) {
            rng.shuffle(&mut rows);
            let (first, rest) = rows.split_at(count);
            train.extend_from_slice(first);
            test.extend_from_slice(rest);
        }
        rng.shuffle(&mut train);
        rng.shuffle(&mut test);
        (self.select(&train), self.select(&test))
    }
}

/// How many samples of each class go to training.
fn train_counts(class_counts: &[usize], fraction: f64) -> Vec<usize> {
    let n: usize = class_counts.iter().sum();
    let share = |count: usize| fraction * count as f64;
    // A class of one sample may go either way; a larger one must reach both parts.
    let most = |count: usize| if count > 1 { count - 1 } else { count };
    let least = |count: usize| usize::from(count > 1);

    let mut counts: Vec<usize> =
        class_counts.iter().map(|&c| (share(c).floor() as usize).clamp(least(c), most(c))).collect();

    // If every class has a single sample, this bound is what leaves neither part empty.
    let wanted = (share(n).round() as usize).clamp(1, n - 1);
    let missing = wanted.saturating_sub(counts.iter().sum());
    let remainder = |k: usize| share(class_counts[k]) - counts[k] as f64;
    let may_take = |&k: &usize| counts[k] < most(class_counts[k]) && remainder(k) > 0.0;
    let mut takers: Vec<usize> = (0..counts.len()).filter(may_take).collect();
    // The sort is stable: among equal remainders the first class comes first.
    takers.sort_by(|&a, &b| remainder(b).total_cmp(&remainder(a)));
    takers.truncate(missing);
    for k in takers {
        counts[k] += 1;
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;
    use chainrule_tensor::Rng;
    use ndarray::ArrayD;

    /// Sample `i` holds the number `i`.
    fn numbered(labels: Vec<usize>) -> Dataset {
        let n = labels.len();
        let classes = labels.iter().max().unwrap() + 1;
        let inputs = ArrayD::from_shape_vec(vec![n, 1], (0..n).map(|i| i as f32).collect()).unwrap();
        Dataset::new("numbered", inputs, labels, (0..classes).map(|k| k.to_string())).unwrap()
    }

    fn rows(data: &Dataset) -> Vec<usize> {
        data.inputs().iter().map(|&x| x as usize).collect()
    }

    fn seeded(seed: u64) -> Rng {
        Rng::seed_from_u64(seed)
    }

    #[test]
    fn every_sample_lands_once_with_its_label() {
        let labels: Vec<usize> = (0..101).map(|i| (i * i) % 7).collect();
        let data = numbered(labels.clone());
        let (train, test) = data.split(0.7, &mut seeded(3));
        let mut all = [rows(&train), rows(&test)].concat();
        for (part, row_numbers) in [(&train, rows(&train)), (&test, rows(&test))] {
            assert!(row_numbers.iter().zip(part.labels()).all(|(&row, &label)| labels[row] == label));
            assert!(!row_numbers.is_sorted(), "a part was not shuffled");
        }
        all.sort_unstable();
        assert!(all.into_iter().eq(0..101));
        assert_eq!(train.len(), 71);
    }

    #[test]
    fn classes_keep_their_share() {
        let mut labels = vec![0; 100];
        labels.extend(vec![1; 50]);
        labels.extend(vec![2; 10]);
        let (train, test) = numbered(labels).split(0.8, &mut seeded(1));
        assert_eq!((train.class_counts(), test.class_counts()), (vec![80, 40, 8], vec![20, 10, 2]));
    }

    #[test]
    fn shares_are_within_one_sample_whatever_the_classes() {
        let mut rng = seeded(9);
        for _ in 0..500 {
            let classes: Vec<usize> = (0..1 + rng.below(6)).map(|_| 1 + rng.below(30)).collect();
            let n: usize = classes.iter().sum();
            if n == 1 {
                continue;
            }
            for percent in [1, 20, 29, 50, 80, 99] {
                let fraction = f64::from(percent) / 100.0;
                let counts = train_counts(&classes, fraction);
                let total: usize = counts.iter().sum();
                assert!(0 < total && total < n, "{classes:?} {fraction}: {counts:?}");
                for (&class, &count) in classes.iter().zip(&counts) {
                    assert!(
                        (count as f64 - fraction * class as f64).abs() <= 1.0,
                        "{classes:?} {fraction}: {counts:?}"
                    );
                    assert!(class < 2 || (0 < count && count < class), "{classes:?} {fraction}: {counts:?}");
                }
            }
        }
    }

    #[test]
    fn largest_remainders_take_what_is_missing() {
        // Shares 2.8, 2.1, 2.1: seven in all, and the first class has the largest remainder.
        assert_eq!(train_counts(&[4, 3, 3], 0.7), [3, 2, 2]);
        // Equal remainders go to the first classes.
        assert_eq!(train_counts(&[3, 3, 3, 3], 0.5), [2, 2, 1, 1]);
        // Rounding noise (0.29 * 100 < 29) does not lose a sample.
        assert_eq!(train_counts(&[100], 0.29), [29]);
    }

    #[test]
    fn single_samples_still_fill_both_parts() {
        assert_eq!(train_counts(&[1, 1], 0.99).iter().sum::<usize>(), 1);
        assert_eq!(train_counts(&[1, 0, 1, 1], 0.01).iter().sum::<usize>(), 1);
    }

    #[test]
    fn a_seed_fixes_the_parts() {
        let data = numbered((0..60).map(|i| i % 3).collect());
        let first = data.split(0.8, &mut seeded(1));
        assert_eq!(first, data.split(0.8, &mut seeded(1)));
        assert_ne!(first, data.split(0.8, &mut seeded(2)));
    }

    #[test]
    #[should_panic(expected = "split: the training fraction must lie between 0 and 1, got 1")]
    fn refuses_a_whole_fraction() {
        numbered(vec![0, 1]).split(1.0, &mut seeded(1));
    }

    #[test]
    #[should_panic(expected = "split: a single sample cannot be split in two parts")]
    fn refuses_a_single_sample() {
        numbered(vec![0]).split(0.5, &mut seeded(1));
    }
}
