"""What this machine says of itself: sensors, devices and who may open them, cores. Read from the kernel's files only.

Everything takes the root of the file tree, so that a machine can be looked at that is not this one. No numpy here: the
publisher and the command line import it.
"""
