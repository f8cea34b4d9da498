"""Presentation for people: overlays on pictures, wording of results, HTML pages."""
