"""Replacement of one head of an int8 graph: from float layers to operators beside the untouched trunk."""
