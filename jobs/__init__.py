"""Raw to trusted to refined: the only folder that imports pyspark."""
