//! `chainrule datasets`: what there is to train on.

use crate::error::CliError;
use crate::output::table;
use chainrule::data::{DATA_VARIABLE, Location, catalog};
use std::io::Write;

pub(crate) fn datasets() -> Result<(), CliError> {
    let mut rows = vec![["name", "samples", "shape", "classes", "license", "where"].map(String::from).to_vec()];
    rows.extend(catalog().into_iter().map(|entry| {
        let place = match &entry.location {
            Location::Embedded => "embedded".into(),
            Location::Folder(path) => path.display().to_string(),
        };
        let shape = format!("{:?}", entry.shape);
        let (samples, classes) = (entry.samples.to_string(), entry.classes.to_string());
        vec![entry.name.to_string(), samples, shape, classes, entry.license.to_string(), place]
    }));
    let mut out = std::io::stdout();
    table(&mut out, &rows)?;
    let absent = |name: &&str| rows.iter().all(|row| row[0] != *name);
    for name in ["mnist", "fashion-mnist"].iter().filter(|name| absent(name)) {
        let now = std::env::var_os(DATA_VARIABLE).map_or("not set".into(), |root| format!("{root:?}"));
        writeln!(out, "\n{name}: set {DATA_VARIABLE} (now {now}) to the folder that holds {name}/ with its IDX files")?;
    }
    writeln!(out, "\nA folder with IDX files in MNIST's layout can be given in place of a name.")?;
    writeln!(
        out,
        "Time series for rnn, lstm and gru: mackey-glass (generated, 2000 steps), or a column of a CSV file."
    )?;
    writeln!(out, "Text for char-lm: any file.")?;
    Ok(())
}
