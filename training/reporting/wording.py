"""Names of metrics, operating points and classes as the report prints them."""

from __future__ import annotations

RATES = ("auc", "accuracy", "sensitivity", "specificity", "precision", "f1")
WORDS = {
    "auc": "AUC",
    "accuracy": "accuracy",
    "sensitivity": "sensitivity (recall)",
    "specificity": "specificity",
    "precision": "precision",
    "f1": "F1",
    "dice": "Dice",
    "lesion_hit": "lesion hit rate",
    "false_lesions": "lesions beside the true one, a picture",
}
POINTS = {
    "youden": "best sum of both (Youden)",
    "even": "even odds (0.5)",
    "sensitivity_90": "90 % sensitivity",
    "sensitivity_95": "95 % sensitivity",
}
CLASSES = ("benign", "malignant")
