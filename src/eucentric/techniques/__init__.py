"""The definitions and protocols of each technique, one folder a technique."""
