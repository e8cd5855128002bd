"""Read, resize, tile and write images of any bit depth and number of channels."""
