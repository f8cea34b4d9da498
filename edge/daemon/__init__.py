"""The processes of a running device: supervisor, frame process, publisher.

job          what the supervisor tells its children
supervisor   starts, watches and stops them
frame        sources to outbox: everything that touches pixels
publisher    outbox to receivers: everything that touches a network; it never imports numpy or cv2
frame_line   the publisher's end of the line to the frame process
switchboard  requests from connections to the desk, answers back
courier      brings messages to one sink, in two lanes
announcer    who we are and how we are: `state` and `health`
vitals       memory and disk, as `health` tells them
"""
