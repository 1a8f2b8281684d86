//! A picture of curves on logarithmic axes, as SVG.

use std::fmt::Write;

/// A curve and the floor that it cannot fall below.
#[derive(Clone, Debug)]
pub struct Curve {
    /// What was measured, and against what.
    pub title: String,
    /// The name of the horizontal axis.
    pub x: String,
    /// The sizes, ascending.
    pub sizes: Vec<f64>,
    /// The time of a step at each size, in milliseconds.
    pub ms: Vec<f64>,
    /// The time that the multiply-adds alone take at the machine's peak rate, in milliseconds.
    pub floor_ms: Vec<f64>,
}

/// The side of a panel and the room around it, in pixels.
const SIDE: f64 = 300.0;
const MARGIN: f64 = 60.0;

/// A logarithmic axis over whole powers of ten.
struct Axis {
    low: f64,
    high: f64,
}

impl Axis {
    fn over(values: impl Iterator<Item = f64> + Clone) -> Self {
        let low = values.clone().fold(f64::INFINITY, f64::min).log10().floor();
        let high = values.fold(0.0, f64::max).log10().ceil();
        Axis { low, high: high.max(low + 1.0) }
    }

    /// Where a value lies, from 0 to 1.
    fn place(&self, value: f64) -> f64 {
        (value.log10() - self.low) / (self.high - self.low)
    }

    fn decades(&self) -> impl Iterator<Item = f64> + use<> {
        (self.low as i32..=self.high as i32).map(|power| 10f64.powi(power))
    }
}

/// The curves, each in a panel of its own, two side by side.
pub fn svg(curves: &[Curve]) -> String {
    let panel = SIDE + 2.0 * MARGIN;
    let rows = curves.len().div_ceil(2);
    let (width, height) = (2.0 * panel, rows as f64 * panel);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" font-family=\"sans-serif\" \
         font-size=\"12\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n"
    );
    for (i, curve) in curves.iter().enumerate() {
        let (left, top) = ((i % 2) as f64 * panel + MARGIN, (i / 2) as f64 * panel + MARGIN);
        draw(&mut out, curve, left, top).expect("a string takes all");
    }
    out.push_str("</svg>\n");
    out
}

fn draw(out: &mut String, curve: &Curve, left: f64, top: f64) -> std::fmt::Result {
    let Curve { title, x, sizes, ms, floor_ms } = curve;
    let horizontal = Axis::over(sizes.iter().copied());
    let vertical = Axis::over(ms.iter().chain(floor_ms).copied());
    let (right, bottom) = (left + SIDE, top + SIDE);
    let place = |size: f64, ms: f64| (left + SIDE * horizontal.place(size), bottom - SIDE * vertical.place(ms));
    let middle = left + SIDE / 2.0;
    writeln!(out, "<text x=\"{middle}\" y=\"{}\" text-anchor=\"middle\">{title}</text>", top - 12.0)?;
    writeln!(out, "<text x=\"{middle}\" y=\"{}\" text-anchor=\"middle\">{x}</text>", bottom + 34.0)?;
    for value in horizontal.decades() {
        let (at, _) = place(value, 1.0);
        writeln!(out, "<path d=\"M{at:.1} {top}V{bottom}\" stroke=\"#ddd\"/>")?;
        writeln!(out, "<text x=\"{at:.1}\" y=\"{}\" text-anchor=\"middle\">{value}</text>", bottom + 16.0)?;
    }
    for value in vertical.decades() {
        let (_, at) = place(1.0, value);
        writeln!(out, "<path d=\"M{left} {at:.1}H{right}\" stroke=\"#ddd\"/>")?;
        writeln!(out, "<text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{value} ms</text>", left - 5.0, at + 4.0)?;
    }
    for (values, style) in
        [(floor_ms, "stroke=\"#888\" stroke-dasharray=\"5 4\""), (ms, "stroke=\"#b30\" stroke-width=\"2\"")]
    {
        let points = sizes.iter().zip(values).map(|(&size, &ms)| {
            let (x, y) = place(size, ms);
            format!("{x:.1},{y:.1}")
        });
        let points: Vec<String> = points.collect();
        writeln!(out, "<polyline points=\"{}\" fill=\"none\" {style}/>", points.join(" "))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn powers_of_ten_frame_the_values() {
        let axis = Axis::over([3.0, 500.0].into_iter());
        assert_eq!(axis.decades().collect::<Vec<_>>(), [1.0, 10.0, 100.0, 1000.0]);
        assert_eq!((axis.place(1.0), axis.place(1000.0)), (0.0, 1.0));
        assert_eq!(Axis::over([10.0].into_iter()).decades().count(), 2);
    }

    #[test]
    fn every_point_is_drawn() {
        let curve = Curve {
            title: "t".into(),
            x: "n".into(),
            sizes: vec![1.0, 10.0, 100.0],
            ms: vec![0.1, 0.2, 3.0],
            floor_ms: vec![0.01, 0.1, 1.0],
        };
        let picture = svg(&[curve.clone(), curve]);
        assert_eq!(picture.matches("<polyline").count(), 4);
        assert!(picture.contains("60.0,") && picture.ends_with("</svg>\n"));
    }
}
