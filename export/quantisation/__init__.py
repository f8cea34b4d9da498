"""Quantisation of a float SavedModel to TFLite: conversion, preparation of weights, full-integer int8 graphs."""
