"""Golden vectors of a bundle: chosen so that a changed weight is noticed (mutation testing), with their tolerances.

Modules:

- ``cases``: Golden cases that notice changed weights, searched, and tried on other kernels than XNNPACK.
- ``coverage``: Mutation coverage: share of weight changes that golden vectors notice, by head; channels that do not
  count.
- ``detected_changes``: Changes of a head's weights (mutations) that one picture detects, for all changes at once
  instead of one run each.
- ``feature_pictures``: Pictures that wake a head's features: synthetic ones, altered step by step along the gradient of
  the int8 graph.
- ``head_tail``: Tail of a head: what is left of it behind some tensors, run by itself on values that these might have.
- ``kernel_limits``: Limits of other kernels: whether all of them agree with XNNPACK on a golden case, as far as a
  manifest allows.
- ``picture_store``: Pictures that a search has found so far, kept in a folder: an interrupted search goes on from them.
- ``picture_variants``: Variants of a picture, single pixels moved by chance, and how much of what is not noticed yet
  each would notice.
- ``rounding_edges``: Sums of a head's narrow layers, and how close they stand to the edge of rounding.
- ``search``: Search of golden pictures by what they notice: of every head, changes of single weights.
- ``single_channel``: Integer arithmetic of quantised layers on values that differ in one channel, for many changes at
  once.
- ``starting_pictures``: Pictures that a search begins with: phantoms, and phantoms altered so that heads are undecided
  and features wake.
- ``tolerances``: Tolerances of the golden vectors for kernels other than XNNPACK, measured by runtime family and head.
- ``undetected_weights``: Undetected weights of a layer, whose change moves its result in no picture so far; gradients
  that wake them.
- ``vectors``: Golden vectors of a bundle: rendered phantoms that no training saw, searched until they can prove
  something.
- ``weight_changes``: Changes of single weights (mutations), and whether golden outputs notice them: a head is run with
  each change.
"""
