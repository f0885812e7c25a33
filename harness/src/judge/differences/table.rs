//! The rows of [`super::explained`].

use super::explained::Row;

/// Every row.
pub const ROWS: &[Row] = &[];
