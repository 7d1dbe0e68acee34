"""Building wheels from source: in an isolated environment, from locked requirements, and proved to be pure Python."""
