"""The paper's four models, the voice and the sync expert: torch modules, no files, no media.

Shape legend, used in every docstring: B batch, T latent steps (50/s), S samples, P phonemes,
C channels, D latent channels, N video frames, K exemplars, L lip points, H × W pixels. Convolution
stacks are (B, C, T); transposes happen only at a block's edge.
"""
