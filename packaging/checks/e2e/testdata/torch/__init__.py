"""Stands in for torch, of which the crash needs one thing: it brings an OpenMP runtime of its own and starts it."""
import ctypes
import glob
import os

_openmp = ctypes.CDLL(glob.glob(os.path.join(os.path.dirname(__file__), "lib", "libomp.*"))[0])


def threads():
    return _openmp.omp_get_max_threads()


threads()
