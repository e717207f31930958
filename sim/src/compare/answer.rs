//! The answer in words: who is first, and where the seeds were too few for any answer.

use super::{Comparison, Row};
use crate::stats;
use crate::words;

/// The answer: who is first under the condition in the middle, and how far the baseline is from it.
pub(super) fn sentence(comparison: &Comparison) -> String {
    let by = comparison.ranking();
    let Some(figure) = comparison.known().get(by).copied() else { return String::new() };
    let Some(condition) = comparison.conditions.get(comparison.conditions.len() / 2) else {
        return String::new();
    };
    if condition.rows.len() < 2 {
        return "One thing alone: there is nothing to compare it with.".to_owned();
    }
    let first: Vec<&Row> = condition.rows.iter().filter(|row| row.rank == 1).collect();
    let names =
        |rows: &[&Row]| words::list(&rows.iter().map(|row| words::plain(&row.name)).collect::<Vec<_>>());
    let said = |row: &Row| {
        row.values[by].and_then(|value| value.value).map_or("never".to_owned(), |value| figure.say(value))
    };
    let (last, what) = (&condition.rows[condition.rows.len() - 1], figure.head());
    let under = if condition.name.is_empty() {
        String::new()
    } else {
        format!(" with {}", words::plain(&condition.name))
    };
    if first.len() == condition.rows.len() {
        let cannot = format!("The seeds cannot tell {} apart{under} ({what}).", names(&first));
        return too_few(comparison).map_or_else(|| cannot.clone(), |few| format!("{cannot} {few}"));
    }
    let verb = if first.len() == 1 { "is" } else { "are" };
    format!(
        "{} {verb} first{under}: {what} {}, where {} has {}.",
        names(&first),
        said(first[0]),
        words::plain(&last.name),
        said(last)
    )
}

/// That no outcome at all could have told two values apart, where the seeds were so few, and how many could.
pub(super) fn too_few(comparison: &Comparison) -> Option<String> {
    let seeds = comparison.seeds.len();
    let rows = comparison.conditions.iter().flat_map(|condition| &condition.rows);
    let judged = rows.filter(|row| row.against.iter().flatten().any(|against| against.p_value.is_some()));
    let comparisons = judged.count();
    let needed = stats::pairs_needed(comparisons);
    (comparisons > 0 && seeds < needed).then(|| {
        format!(
            "{} cannot decide {}, whatever they show; {needed} could.",
            words::counted(seeds as u64, "seed"),
            words::counted(comparisons as u64, "comparison")
        )
    })
}

#[cfg(test)]
mod tests {
    use super::super::judge;
    use super::super::sample;
    use crate::summary::Volatile;

    #[test]
    fn who_could_not_have_found_anything_says_so() {
        // Four comparisons at 5 % need 8 seeds: 2^(1-8) = 0.0078 is below 0.0125, 2^(1-7) = 0.0156 is not.
        let said = |seeds| judge(&sample::noise(1, 3, seeds), Volatile::default()).sentence;
        assert!(
            said(7).ends_with("7 seeds cannot decide 4 comparisons, whatever they show; 8 could."),
            "{}",
            said(7)
        );
        assert!(!said(8).contains("whatever"), "{}", said(8));
    }
}
