"""Fits CTFs with ASPIRE, in its own environment: `python fit_with_aspire.py JOBS RESULTS`.

`benchmarks/ctf_peers.py` says what is in the files. What fails is reported as null.
"""

import json
import math
import shutil
import sys
import tempfile
import time
from pathlib import Path

from aspire.ctf import estimate_ctf

results = []
jobs = json.loads(Path(sys.argv[1]).read_text())
for job in jobs:
    with tempfile.TemporaryDirectory() as folder:
        shutil.copyfile(job["path"], Path(folder) / "m.mrc")
        begin = time.process_time()
        try:
            (found,) = estimate_ctf(
                folder,
                pixel_size=job["pixel_size"],
                cs=job["spherical_aberration"],
                amplitude_contrast=job["amplitude_contrast"],
                voltage=job["voltage"],
                output_dir=str(Path(folder) / "out"),
            ).values()
        except Exception as error:  # one micrograph that it cannot fit is a result too
            print(f"{job['path']}: {error}", file=sys.stderr)
            results.append(None)
            continue
        results.append(
            {
                "defocus_u": float(found["defocus_u"]),
                "defocus_v": float(found["defocus_v"]),
                "angle": math.degrees(float(found["defocus_ang"])),
                "cpu": time.process_time() - begin,
            }
        )
Path(sys.argv[2]).write_text(json.dumps(results))
