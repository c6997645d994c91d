"""MotionCor3 as a protocol of Eucentric.

The program was not at hand when this was written. It keeps to the options and the files that version 1.2.1 is
documented to have, and is tested with a stand-in that has them.
"""
