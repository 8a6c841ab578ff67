# Who asks for which OpenMP runtime in a tree of ELF files, as auditwheel's own loader sees it: lines "runtime<TAB>user".
import os
import re
import sys
from pathlib import Path

from auditwheel.lddtree import ldd

runtime = re.compile(r"lib(omp|iomp5|gomp)[-.].*")
root = os.path.realpath(sys.argv[1])
for folder, _, files in os.walk(root):
    for name in sorted(files):
        path = os.path.join(folder, name)
        if not re.search(r"\.so(\.|$)", name):
            continue
        seen = ldd(Path(path))
        for needed in seen.needed:
            if runtime.match(needed):
                found = seen.libraries[needed].realpath
                print(os.path.realpath(found) if found else needed, path, sep="\t")
