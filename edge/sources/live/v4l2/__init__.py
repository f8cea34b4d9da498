"""Video4Linux 2: what the kernel says of a camera or grabber, and its frames, by system calls alone.

OpenCV reads such devices too, but hands on buffers that the driver marks as broken, cannot say how many frames the
driver dropped, nor which clock its times are of, and waits ten seconds for a device that gives nothing.
"""
