"""Video4Linux 2: what the kernel says of a camera or grabber, and its frames, by system calls alone.

OpenCV reads such devices too, but hands on buffers that the driver marks as broken, cannot say how many frames the
driver dropped, nor which clock its times are of, and waits ten seconds for a device that gives nothing.

Modules:

- ``buffers``: Buffers that a video device fills with pictures, mapped into this process: queued, filled, taken, queued
  again.
- ``device``: Open video device: asks the kernel what it is, which inputs and modes it has, and sets them.
- ``find_camera``: Finds the node of a camera by its number, by its path, or by its name, which outlives being plugged
  in anew.
- ``kernel_clock``: Capture times of a video device's pictures: the kernel's own where they can be true, else the moment
  of arrival.
- ``layouts``: Binary layouts of the kernel's Video4Linux structures, and the numbers of the system calls that take
  them.
- ``modes``: Choice of a camera's mode: pixel format, size and rate, out of those that the device lists.
- ``pixels``: Converts what a video device gives (YUYV, NV12, RGB, JPEG …) to RGB or grey pixels of the port.
"""
