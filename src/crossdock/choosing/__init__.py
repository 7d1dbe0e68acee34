"""From a project and what is asked for to targets, and to a file for every package of each."""
