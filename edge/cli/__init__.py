"""Command line ``edge-cli``: one file a command; ``edge/cli/main.py`` says how a command is written.

Modules:

- ``benchmark``: ``edge-cli benchmark``: measures latency and throughput of the frame path, and compares two reports.
- ``benchmark_options``: Options of ``edge-cli benchmark``: their help texts, their checks, and their values parsed.
- ``broker_options``: Options that commands share which connect to an MQTT broker: its URI, and the account to use
  there.
- ``config``: ``edge-cli config``: writes, shows and checks the configuration file.
- ``demo``: ``edge-cli demo``: runs a broker, the daemon and two scenarios, and shows what a subscriber received.
- ``demo_live``: ``edge-cli demo-live``: a camera that dies and comes back, and what the daemon tells a subscriber of
  it.
- ``doctor``: ``edge-cli doctor``: checks this machine and prints what is missing.
- ``errors``: Error messages of the command line: two lines on stderr and an exit code, never a traceback.
- ``fleet``: ``edge-cli fleet``: watches many devices at once over their MQTT broker.
- ``fleet_forget``: ``edge-cli fleet forget``: deletes what a broker retains of devices that are gone.
- ``infer``: ``edge-cli infer``: analyses picture, video and DICOM files and prints an answer for each frame.
- ``main``: Main program of ``edge-cli``: finds the command, runs it, and turns errors into exit codes.
- ``model``: ``edge-cli model``: shows and verifies a model bundle; adopts models from elsewhere.
- ``model_adopt``: ``edge-cli model adopt``: makes a bundle of a classifier or segmentation network from elsewhere.
- ``model_description``: Text of ``edge-cli model info``: all that people should know of a bundle, or of a plain
  classifier.
- ``outbox``: ``edge-cli outbox``: shows, resends, exports and deletes the messages stored on the device.
- ``output``: Output of commands on stdout: JSON that stays JSON whatever encoding stdout has.
- ``paths``: Paths on the command line: ``-`` for standard input and output, and files that may be given in two ways.
- ``progress``: Progress bars on stderr, on terminals only.
- ``run``: ``edge-cli run``: starts the daemon and runs it until it is stopped.
- ``schema``: ``edge-cli schema``: writes the JSON Schemas and the AsyncAPI document, or checks them.
- ``simulate``: ``edge-cli simulate``: publishes the messages of many simulated devices to an MQTT broker.
- ``view``: ``edge-cli view``: makes what the page needs to be reached from other machines: a token and a certificate.
"""
