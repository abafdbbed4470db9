//! HubSpot sink for NextEdge.
