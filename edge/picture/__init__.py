"""What a person sees: overlays, wording of results, HTML pages."""
