"""The lake's own objects: read, write, compare-and-swap, manifests, cursors, leases, run records, and the catalog."""
