//! Data into text. Nothing here reads a clock, a file or the terminal: what these functions need is handed to them.

pub mod json;
pub mod properties;
pub mod rows;
pub mod status;
pub mod table;
pub mod text;
pub mod time;
pub mod tree;
