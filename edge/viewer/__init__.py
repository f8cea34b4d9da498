"""Viewer process: serves the page that shows the person at the device what is found, while it happens."""
