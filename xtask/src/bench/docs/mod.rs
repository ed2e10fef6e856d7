//! docs/bench.md and the pictures beside it, from the results of one run.

mod charts;
mod held;
mod page;
mod svg;
mod table;
#[cfg(test)]
mod tests;

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use super::results::Results;

/// Writes all of it over what was there.
pub(super) fn write(results: &Results) -> Result<()> {
    let docs = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs"));
    let directory = docs.join("bench");
    fs::create_dir_all(&directory).with_context(|| format!("make {}", directory.display()))?;
    let mut drawn = Vec::new();
    for picture in charts::all(results) {
        let file = directory.join(&picture.file);
        // What was not measured has no picture: one of an older run would be taken for it.
        let Some(svg) = picture.chart.svg() else {
            let _ = fs::remove_file(&file);
            continue;
        };
        fs::write(&file, svg).with_context(|| format!("write {}", file.display()))?;
        drawn.push(picture);
    }
    let page = docs.join("bench.md");
    fs::write(&page, page::text(results, &drawn)).with_context(|| format!("write {}", page.display()))?;
    println!("\nWritten: {}, and {} pictures", page.display(), drawn.len());
    Ok(())
}
