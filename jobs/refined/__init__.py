"""One module per refined table: a pure function whose parameters are its input tables, and its contract beside it."""
