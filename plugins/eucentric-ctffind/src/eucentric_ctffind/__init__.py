"""CTFFIND as a protocol of Eucentric.

The program was not at hand when this was written. It keeps to the dialogue and the files that versions
4.1.14 and 5.0.2 are documented to have, and is tested with a stand-in that has them.
"""
