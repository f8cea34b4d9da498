"""Hardware of this machine, read from the kernel's files: board, sensors, cameras, accelerators, file systems.

Every function takes the root of the file tree, so that tests can show it a machine that is not this one. No numpy here:
the publisher and the command line import it.
"""
