"""Made cines, by which tracks over seconds and the joining of frames are chosen and judged."""
