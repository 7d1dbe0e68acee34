"""Measurements of crossdock: ratios in one run, on one machine; docs/performance.md tells how to read them."""
