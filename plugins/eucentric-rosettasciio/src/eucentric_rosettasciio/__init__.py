"""Metadata and images of further formats, read by RosettaSciIO.

Copyright the authors of Eucentric. This distribution is free software under the GNU General Public License,
version 3 or, at your option, any later version; see the file LICENSE.
"""
