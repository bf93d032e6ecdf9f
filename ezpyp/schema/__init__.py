"""The promise of a location: what it records, what conflicts with it, and how that is told. Pure."""
