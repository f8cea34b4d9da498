"""Names of the figures of ``report.json``, and what manifest and card call them."""

from __future__ import annotations

TITLES = {
    "auc": "malignancy AUC",
    "accuracy": "accuracy",
    "sensitivity": "sensitivity",
    "specificity": "specificity",
    "precision": "precision",
    "f1": "F1",
    "dice": "Dice",
    "lesion_hit": "lesion hit rate",
    "false_lesions": "lesions beside the true one, a picture",
    "ece": "calibration error (ECE)",
}
"""Names of report.json, and the card's names for them. ``false_lesions`` counts bad outlines too, as
`export.measure_bundle` does not."""
ANYWHERE = ("auc", "dice", "lesion_hit")
"""Names of the metrics that are told of hospitals and scanners that a model never saw."""
CALLED = ("accuracy", "sensitivity", "specificity", "precision", "f1")
"""Names of the metrics that depend on a threshold."""
AT_POINT = {
    "auc_head": "malignancy AUC of the head, presence not weighed",
    "sensitivity": "sensitivity",
    "specificity": "specificity",
    "ece": "calibration error (ECE)",
}
"""Of a stranger split: names of the figures of malignancy alone, whether or not a lesion was found."""
DELIVERED = {
    "coverage": "judged, as a user gets it",
    "sensitivity": "sensitivity, as a user gets it",
    "specificity": "specificity, as a user gets it",
    "cancers_clear": "cancers with no lesion detected",
    "cancers_abstained": "cancers not judged",
    "calls_uncertain": "uncertain calls",
    "error_certain": "wrong calls among the certain",
    "error_uncertain": "wrong calls among the uncertain",
}
"""Names of the figures as a user gets them: an abstained cancer is missed, an abstained benign lesion not cleared."""
WITHOUT_LESION = {
    "clear": "no lesion: clear",
    "finding": "no lesion: finding",
    "suspicious": "no lesion: suspicious finding",
    "heads_disagree": "no lesion: heads disagree",
    "too_uncertain": "no lesion: too uncertain",
    "wrong_anatomy": "no lesion: wrong anatomy",
}
"""Names of the figures of pictures without a lesion."""
