//! Authenticated, rate-limited HTTP for NextEdge connectors.
