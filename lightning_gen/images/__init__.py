"""Image files of any depth and number of channels: reading, resizing, tiling and writing."""
