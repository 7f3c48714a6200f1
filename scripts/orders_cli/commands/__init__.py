"""The commands: options in, sentences and tables out."""
