"""Pictures that the gate is measured with: what must be refused, what is spoilt, and what is good.

Rendered or painted here are screens, traces, colour Doppler and freezes; real are photographs and the scans below them.

Modules:

- ``doppler``: Colour Doppler painted over real scans: flow in red and blue within the outline of a box.
- ``freezes``: Streams of a real scan on a screen, moving, then frozen or held still, as they come out of a codec.
- ``photographs``: Photographs and patterns that come with scikit-image, cut, turned and recoloured: what is no
  ultrasound.
- ``scans``: Real breast scans of BUS-BRA and BUSI, by set, label and maker of the scanner.
- ``screens``: Screens without a scan, rendered: test pictures, blue and vendor's screens, snow, menus, reports and
  traces.
- ``spoilings``: Spoilings of real scans: halves black or full of text, shadows, lost contact, gain, blur, turned and
  inverted.
"""
