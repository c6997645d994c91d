"""RELION's programs as protocols of Eucentric, a module for each protocol.

`programs` says which programs are run; by `tables` particles come to RELION and back; `growth` says when what
needs all particles is done again.
"""
