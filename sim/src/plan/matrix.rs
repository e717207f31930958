//! What a comparison varies: axes and seeds, and what it compares. Its cells are numbered: the last axis turns fastest, and
//! seeds faster still, so that a number means the same run on every machine.

use super::figure::Figure;

/// The runs of a comparison.
#[derive(Clone, Debug, PartialEq)]
pub struct Matrix {
    /// What varies. The first axis is what is ranked, the others are conditions.
    pub axes: Vec<Axis>,
    /// The seeds, each once for every choice of values.
    pub seeds: Vec<u64>,
    /// What is compared, in the order of columns; the one that ranks is among them.
    pub figures: Vec<Figure>,
    /// What ranks.
    pub rank_by: Figure,
    /// Smaller changes do not matter: a share of the baseline's value.
    pub margin: f64,
}

/// One thing that varies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Axis {
    /// Its name: `algorithm`, `load.rate`.
    pub name: String,
    /// Its values as the file writes them, at least one.
    pub values: Vec<String>,
}

/// One run of a comparison.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cell {
    /// For each axis, which of its values.
    pub choice: Vec<usize>,
    /// The seed.
    pub seed: u64,
}

impl Matrix {
    /// How many choices of values there are.
    pub fn choices(&self) -> usize {
        self.axes.iter().map(|axis| axis.values.len()).product()
    }

    /// How many runs.
    pub fn len(&self) -> usize {
        self.choices() * self.seeds.len()
    }

    /// Whether there is nothing to run.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The values of a choice, by its number.
    pub fn choice(&self, number: usize) -> Vec<usize> {
        let mut rest = number;
        let mut choice: Vec<usize> = self
            .axes
            .iter()
            .rev()
            .map(|axis| {
                let at = rest % axis.values.len();
                rest /= axis.values.len();
                at
            })
            .collect();
        choice.reverse();
        choice
    }

    /// The run with this number, from 0.
    pub fn cell(&self, number: usize) -> Cell {
        let seeds = self.seeds.len();
        Cell { choice: self.choice(number / seeds), seed: self.seeds[number % seeds] }
    }
}

#[cfg(test)]
mod tests {
    use super::super::figure::Percentile;
    use super::*;

    #[test]
    fn cells_are_numbered_with_seeds_fastest() {
        let axis = |name: &str, n: usize| Axis {
            name: name.to_owned(),
            values: (0..n).map(|value| value.to_string()).collect(),
        };
        let p99 = Figure::Latency(Percentile::P99);
        let matrix = Matrix {
            axes: vec![axis("a", 2), axis("b", 3)],
            seeds: vec![7, 9],
            figures: vec![p99],
            rank_by: p99,
            margin: 0.03,
        };
        assert_eq!((matrix.choices(), matrix.len()), (6, 12));
        let cells: Vec<_> = (0..12).map(|number| matrix.cell(number)).collect();
        assert_eq!(cells[0], Cell { choice: vec![0, 0], seed: 7 });
        assert_eq!(cells[1], Cell { choice: vec![0, 0], seed: 9 });
        assert_eq!(cells[2], Cell { choice: vec![0, 1], seed: 7 });
        assert_eq!(cells[11], Cell { choice: vec![1, 2], seed: 9 });
    }
}
