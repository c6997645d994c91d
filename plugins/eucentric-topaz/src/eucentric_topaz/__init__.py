"""Topaz's denoising and picking as protocols of Eucentric. Topaz itself is only run, never imported."""
