"""SQL in Athena's dialect over the tables of the lake."""
