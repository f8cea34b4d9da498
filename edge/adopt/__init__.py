"""Adopts TFLite models from elsewhere: makes a bundle of a ``.tflite`` that says nothing, or little, of itself.

Neither TensorFlow nor the flatbuffers library is needed, so that it runs on a Raspberry Pi.
"""
