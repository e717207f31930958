//! One `Summary` to every file and to the terminal.

pub mod html;
