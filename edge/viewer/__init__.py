"""Viewer process: serves the page that shows the person at the device what is found, while it happens.

Modules:

- ``access``: Access to the page: which hosts, origins and browsers are answered, and with which security headers.
- ``app``: Web application of the viewer: the page's files, the WebSocket, reports and the login.
- ``device_view``: View of the device: all streams, and how frame process and publisher are; wakes who waits for
  something new.
- ``history``: History of one stream: the newest seconds as JPEG, in memory only, within a limit of bytes.
- ``limits``: Limits of connections: how many there are, and how long one may take to say what it wants.
- ``occlusion``: Occlusion maps for the page: asks the child process that computes them, one map at a time, and ends it
  when idle.
- ``occlusion_child``: Child process that computes occlusion maps: how a model's number changes when a place of the
  picture is covered.
- ``page_message``: Messages to the page: a JSON header and pictures in one binary WebSocket message.
- ``process``: The viewer process: main function. It judges and writes nothing; what people say goes to the frame
  process.
- ``report``: Report on one frame: PNG with its shapes, JSON with all that was said of it, or an HTML page that holds
  both.
- ``serve``: Server of the viewer process: serves the page on the socket that the supervisor made, until SIGTERM.
- ``session``: Session of one browser: a WebSocket on which it asks for the newest frame, the history, and gives orders.
- ``stream_view``: View of one stream: its newest frame as JPEG, what happened since, and the history of its present
  exam.
- ``texts``: Texts of the page and its reports, by language: one table, which the browser reads as well.
"""
