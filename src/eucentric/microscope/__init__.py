"""What arrives: find, check and group the files of a session, or simulate a microscope."""
