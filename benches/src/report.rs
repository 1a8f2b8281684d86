//! What was measured, as a table for people or lines of JSON for programs.

use crate::measure::Times;

/// One workload's result.
#[derive(Clone, Debug)]
pub struct Row {
    /// The workload.
    pub workload: String,
    /// Threads in the pool.
    pub threads: usize,
    /// How long a step took.
    pub times: Times,
    /// The rate of the operations a step takes at least.
    pub gflops: f64,
    /// That rate as a share of the machine's peak rate, in percent.
    pub percent_of_peak: f64,
    /// The most memory the process has had in use, in MB.
    pub peak_mb: Option<f64>,
}

impl Row {
    /// The headings over [`to_line`](Row::to_line).
    pub fn heading() -> String {
        format!(
            "{:<18} {:>7} {:>11} {:>11} {:>9} {:>7} {:>8}",
            "workload", "threads", "median ms", "min ms", "GFLOP/s", "% peak", "peak MB"
        )
    }

    /// A line of the table.
    pub fn to_line(&self) -> String {
        let memory = self.peak_mb.map_or("-".into(), |mb| format!("{mb:.1}"));
        format!(
            "{:<18} {:>7} {:>11.4} {:>11.4} {:>9.1} {:>7.1} {memory:>8}",
            self.workload, self.threads, self.times.median_ms, self.times.min_ms, self.gflops, self.percent_of_peak
        )
    }

    /// A JSON object on one line.
    pub fn to_json(&self) -> String {
        let memory = self.peak_mb.map_or(String::new(), |mb| format!(", \"peak_mb\": {mb:.1}"));
        let losses: Vec<String> = self.times.losses.iter().map(|&loss| json_number(loss)).collect();
        format!(
            "{{\"impl\": \"chainrule\", \"workload\": \"{}\", \"threads\": {}, \"median_ms\": {:.5}, \"min_ms\": {:.5}, \
             \"gflops\": {:.1}, \"percent_of_peak\": {:.1}{memory}, \"losses\": [{}]}}",
            self.workload,
            self.threads,
            self.times.median_ms,
            self.times.min_ms,
            self.gflops,
            self.percent_of_peak,
            losses.join(", ")
        )
    }
}

/// JSON knows no NaN and no infinity.
fn json_number(x: f32) -> String {
    if x.is_finite() { format!("{x:?}") } else { "null".into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_json() {
        let times = Times { median_ms: 1.5, min_ms: 1.25, losses: vec![0.5, f32::NAN] };
        let mut row =
            Row { workload: "w".into(), threads: 2, times, gflops: 10.0, percent_of_peak: 5.0, peak_mb: Some(3.0) };
        let json = "{\"impl\": \"chainrule\", \"workload\": \"w\", \"threads\": 2, \"median_ms\": 1.50000, \
                    \"min_ms\": 1.25000, \"gflops\": 10.0, \"percent_of_peak\": 5.0, \"peak_mb\": 3.0, \
                    \"losses\": [0.5, null]}";
        assert_eq!(row.to_json(), json);
        row.peak_mb = None;
        assert!(!row.to_json().contains("peak_mb"));
        assert_eq!(row.to_line().len(), Row::heading().len());
    }
}
