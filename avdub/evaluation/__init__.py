"""Measures that a sceptic would compute: speech, lips, pictures, finished dubs, speed.

Never imported by the pipeline, and knows nothing of training.
"""
