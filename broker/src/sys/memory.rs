//! What the allocator holds.

use super::raw;

/// Gives free memory back to the system; takes some milliseconds at most.
pub fn give_back() {
    raw::trim_heap();
}
