"""From stored message to receiver. Everything here runs in the publisher process, but for the outbox' writer.

    outbox_schema   the SQLite file: layout, opening, setting aside
    outbox_writer   the frame process' side: gives seq, commits, never blocks the caller
    outbox          the publisher's side: what is pending for whom, what may go
    mqtt            one broker; mqtt_connect is one connection of it, mqtt_dialect how to speak to it, mqtt_account
                    what we show it, mqtt_refusals what it does not take
    mqtt_check      may we connect? For the command line, in two lines
    jsonl           lines in a file
    memory          the fake

Nothing here imports numpy or cv2, nor knows what a finding is: bodies are bytes.
"""
