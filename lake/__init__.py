"""Facts of the lake: settings, paths, declarations, errors, log format; imports nothing of ours and touches nothing."""
