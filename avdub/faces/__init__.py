"""Where the face is: detection, tracks, crops, lip shapes and who is talking. Numpy only, no torch.

Shapes: N frames, H × W pixels, 468 mesh points. Pixel coordinates are (x, y) with pixel centres at
integers; z is the mesh's depth in the same scale, negative towards the camera.
"""
