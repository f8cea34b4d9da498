"""Made cines, by which tracks over seconds and the joining of frames are chosen and judged.

Modules:

- ``answers``: The model's answers for each frame of made cines, kept in a file, so that rules are tried without the
  model.
- ``cine``: Cines that are made from pictures: what is known of each frame, and how a cine is given frame by frame.
- ``command``: Commands ``training cines`` and ``training report --clips``: tracks against goals, and rules that join
  frames.
- ``curve``: Curve of false `new` a minute against the delay of a lesion, one line a share, as an SVG picture.
- ``examinations``: Examinations to join: pairs of views of held-out pictures, and sweeps of the second maker.
- ``first_maker``: First cine maker, by which rules for tracks are chosen: a window that moves over one picture.
- ``fold_sweeps``: Sweeps of the first maker over pictures out of fold: each is judged by the fold model that never saw
  its patient.
- ``foreign_clips``: Answers for clips of other organs: nothing in them may be told as a lesion of the model's.
- ``goals``: Goals of tracks over seconds: each with its figure, its 95 % interval over patients, and whether it is
  reached.
- ``joining``: Rules that join the frames of one lesion to one malignancy, and how well each tells malignant from
  benign.
- ``score``: Scores of a tracker on made cines, beside what single frames say: false `new`, delay, one track, flicker,
  spread.
- ``second_maker``: Second cine maker, by which tracks are judged: planes through tissue of some thickness, never used
  to choose a rule.
- ``stills``: Stills that cines are made of: held-out pictures of the breast sets where they are, rendered phantoms
  elsewhere.
- ``sweeps``: Sweeps that are made and judged: which still, which seed, how long and at what frame rate, for each maker.
"""
