"""Where the lake runs in the cloud; for now: the package every Spark runs from."""
