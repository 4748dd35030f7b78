"""Models that mark anomalies: one YAML declaration each, and the code that trains and scores them all."""
