"""What Bazel's rules call: the same core as the command line's, one step at a time, from files to files."""
