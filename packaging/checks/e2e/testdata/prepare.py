"""Makes the environment it runs in like the user's on a Mac: FAISS on LLVM's OpenMP, and a torch with a second copy of it.

A Mac's faiss-cpu brings LLVM's libomp. Linux wheels bring GNU's libgomp instead, which never aborts; LLVM's runtime speaks
libgomp's language, too, so that it can stand in its place and FAISS runs on it. usage: prepare.py FOLDER-OF-TORCH
"""
import glob
import os
import shutil
import sys
import sysconfig

site = sysconfig.get_paths()["platlib"]


def first(*patterns):
    for pattern in patterns:
        for path in sorted(glob.glob(os.path.join(site, pattern))):
            return os.path.realpath(path)
    raise SystemExit("none of these exists: " + ", ".join(patterns))


def copy(source, target):
    os.makedirs(os.path.dirname(target), exist_ok=True)
    if os.path.lexists(target):
        os.remove(target)
    shutil.copyfile(source, target)


shutil.copytree(sys.argv[1], os.path.join(site, "torch"), dirs_exist_ok=True)
if sys.platform == "darwin":
    ours = first("faiss/.dylibs/libomp.dylib")
    copy(ours, os.path.join(site, "torch/lib/libomp.dylib"))
else:
    wheel = first("cmeel.prefix/lib/libomp.so")
    copy(wheel, first("faiss_cpu.libs/libgomp*"))
    # Debian's copy is of another version, as it is between two wheels; without it two equal copies conflict just as well.
    copy(first("/usr/lib/llvm-*/lib/libomp.so.5", "cmeel.prefix/lib/libomp.so"), os.path.join(site, "torch/lib/libomp.so"))
