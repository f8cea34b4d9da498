"""Generator that fills a hole in a picture: it removes a lesion (``erase``), or draws one (``draw``).

Modules:

- ``detector``: Detector of fillings: a small network that learns to tell filled windows from real ones, as its judge.
- ``eraser``: A trained generator as a way to fill: at the scale that it learnt, and back into the picture's own pixels.
- ``feature_distance``: Distance between filled and real tissue in ImageNet features (EfficientNet-Lite0): how much like
  tissue it looks.
- ``figures``: Figures of a way to fill: whether it erases, can be seen, gives training pictures away, and looks like
  tissue.
- ``fill_command``: Work of ``training fill``: choose the way to fill, fill the training pictures, write the file.
- ``fill_pictures``: Fill the pictures of a data set: lesions erased, and as many holes of the same kind filled beside
  them.
- ``fillers``: Ways to fill a hole in a picture: by a trained generator, and the two cheap ones that it has to beat.
- ``filling_step``: One filling as a computation of TensorFlow: what the generator is given, and how its answer enters
  the patch.
- ``holes``: Holes in the shape of lesions: what a generator learns to fill, and what it is asked to fill.
- ``look``: Sheet of triptychs for ``training look --gan``: pictures, what was taken out of them, and what was filled
  in.
- ``loop``: Training loop of a generator: first by the absolute difference alone, then beside a discriminator.
- ``nearest_patches``: Distance of filled patches to the nearest training patch: whether a generator gives training
  pictures away.
- ``networks``: Networks of a generator's training: U-Net that fills, and PatchGAN discriminator that judges.
- ``patches``: Training patches of a generator: tissue with a hole in it, and what was there.
- ``pictures``: Pictures that a generator learns from, at the scale that the network to be trained sees them in.
- ``presence_of_erased``: What a lesion model says of erased lesions: whether it still finds them, and whether it looks
  at the filling.
- ``run``: One run of a generator: read the pictures, train, and write what others need of it into its folder.
- ``settings``: Settings of a generator's training, and the record that its finished run keeps (``recipe.toml``).
- ``sheet``: Contact sheets of a generator: triptychs of picture, hole and filling, side by side.
- ``warnings``: What goes wrong in a generator's training, noticed from its log: collapse, and a discriminator that
  always wins.
- ``windows``: Windows of filled and of untouched pictures at the network's scale, for everything that judges fillings.
"""
