"""Answers over HTTP: tables, named queries and runs of the lake, for programs and for people who never see Spark."""
