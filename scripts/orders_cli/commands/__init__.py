"""The commands, one file each: options in, words and tables out. What they do is beside this folder."""
