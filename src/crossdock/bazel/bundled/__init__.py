"""PEX files, zips and own wheels of wheels and files that are given."""
