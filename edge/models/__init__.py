"""Reads and verifies model bundles: container, manifest, golden vectors, signature, graph, delegate placement.

A bundle is untrusted until every check here has passed. Only reading lives here: bundles are written by ``export``, on
a workstation. Nothing here runs a model.
"""
