"""Generator that fills a hole in a picture: it removes a lesion (``erase``), or draws one (``draw``)."""
