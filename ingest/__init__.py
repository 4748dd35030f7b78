"""From sources to the raw zone: bots that fetch, decoders that turn originals into rows of text; no Spark."""
