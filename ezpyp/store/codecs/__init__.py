"""How results become bytes, and back. To add a codec, see `Codec` and `register_codec`."""
