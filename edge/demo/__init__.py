"""Runs the daemon on sample pictures and shows what a subscriber received."""
