//! `compare.csv`: one line for each run and figure, for spreadsheets and notebooks.

use super::Comparison;

/// The file.
pub(super) fn table(comparison: &Comparison) -> String {
    let mut out = csv::Writer::from_writer(Vec::new());
    let axes = comparison.axes.iter().map(|(name, _)| text(name));
    let heads = ["run", "seed", "validity", "figure", "value"].map(str::to_owned);
    let row: Vec<String> = axes.chain(heads).collect();
    // Writing into a Vec cannot fail.
    let _ = out.write_record(&row);
    for ran in &comparison.cells {
        for figure in &comparison.figures {
            let value = match ran.figures.get(figure) {
                Some(value) => value.to_string(),
                None if ran.never.contains(figure) => "inf".to_owned(),
                None => continue,
            };
            let chosen = comparison.axes.iter().zip(&ran.choice);
            let chosen =
                chosen.map(|((_, values), &at)| values.get(at).map_or_else(String::new, |value| text(value)));
            let validity = format!("{:?}", ran.validity).to_uppercase();
            let rest = [ran.cell.to_string(), ran.seed.to_string(), validity, figure.clone(), value];
            let _ = out.write_record(chosen.chain(rest));
        }
    }
    String::from_utf8(out.into_inner().unwrap_or_default()).unwrap_or_default()
}

/// A text that no spreadsheet takes for a formula.
fn text(text: &str) -> String {
    let text = crate::words::plain(text);
    if text.starts_with(['=', '+', '-', '@']) && text.parse::<f64>().is_err() {
        format!("'{text}")
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample::{comparison, hostile};
    use super::*;

    #[test]
    fn every_run_has_a_line_for_each_figure() {
        let comparison = comparison();
        let file = table(&comparison);
        assert_eq!(file.lines().count(), 1 + comparison.cells.len() * comparison.figures.len());
        assert_eq!(file.lines().next().unwrap(), "thing,size,run,seed,validity,figure,value");
        assert!(file.lines().nth(3).unwrap().starts_with("base,3,0,1,VALID,dropped,0"), "{file}");
    }

    #[test]
    fn no_name_makes_a_line_or_a_formula() {
        let file = table(&hostile());
        assert!(
            file.lines().all(|line| line.starts_with("\"</script>")
                || line.starts_with("</script>")
                || line.starts_with("slow")),
            "{file}"
        );
        assert_eq!(text("=1+1"), "'=1+1");
        assert_eq!(text("-5"), "-5");
    }
}
