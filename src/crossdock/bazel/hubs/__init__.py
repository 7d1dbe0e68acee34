"""What a lock gives each target of a hub: entries, wheels, edges, and the JSON that Bazel's extension reads."""
