"""What a step gave: codecs, objects, and the SQLite index."""
