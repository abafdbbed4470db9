//! Classifiers for NextEdge.
