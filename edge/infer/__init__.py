"""Files in, one answer per frame out: what `edge-cli infer` does."""
