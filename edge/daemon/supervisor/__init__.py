"""The supervisor (parent process): starts, watches, restarts and stops the frame process and the publisher."""
