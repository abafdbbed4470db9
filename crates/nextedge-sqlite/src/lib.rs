//! Embedded SQLite stores for NextEdge.
