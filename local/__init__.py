"""Where the lake runs on a laptop: set-up, Spark's own options, and the servers that stand in for the cloud's."""
