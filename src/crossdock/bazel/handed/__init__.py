"""The files by which one action tells another what it knows."""
