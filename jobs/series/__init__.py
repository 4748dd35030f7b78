"""Anomalies in numeric series: views of a series, k-means over them, and the judgement of each point, with numpy alone."""
