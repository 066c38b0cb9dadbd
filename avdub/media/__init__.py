"""Files in and out: probing, sound, pictures, splicing, subtitles.

Everything that knows containers and codecs lives here, behind exact times (`Fraction` seconds from
the first frame), RGB uint8 (H, W, 3) pictures and float32 (S, C) sound. numpy only, no torch.
"""
