//! What a scenario may ask the world for while it is read: files it names, and variables that those name. Handed in, so that
//! reading stays the same wherever it happens.

use std::path::Path;

/// Who answers for the world.
#[derive(Clone, Copy, Debug)]
pub struct Surroundings {
    /// The text of a file, or why it cannot be read.
    pub file: fn(&Path) -> Result<String, String>,
    /// The value of an environment variable, when it is set.
    pub variable: fn(&str) -> Option<String>,
}

impl Default for Surroundings {
    /// A world without files and variables.
    fn default() -> Self {
        Self { file: |path| Err(format!("there is no {}", path.display())), variable: |_| None }
    }
}
