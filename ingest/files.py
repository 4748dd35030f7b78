"""The bot for files behind a URL: one GET, the file as it is."""

from ingest.rest import HttpBot


class FilesBot(HttpBot):
    """A file source; gzip is not asked for, so that the bytes are the file's own."""

    extension = "csv"
