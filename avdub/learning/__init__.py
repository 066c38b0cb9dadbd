"""What is learned from data, whoever asks: a training from packs, or a dub from its own video.

Losses, batches of one actor's frames and short fits. Knows no files, no packs and no options.
"""
