# Two copies of OpenMP in one process (PyTorch's and FAISS's, for instance) no longer end it with
# "OMP: Error #15". It allows the conflict and does not remove it: LLVM calls it unsafe, and a
# segmentation fault can still follow later.
export KMP_DUPLICATE_LIB_OK=TRUE

# PyTorch's copy of OpenMP is loaded before any other. It does not merge the copies: a library that
# brings its own still loads it. Set on the Python process only, and only if the file is there and
# fits the architecture, because Python would not start otherwise. Not set here: torch is not
# installed in this environment.
unset DYLD_INSERT_LIBRARIES

# Limits OpenMP to four threads, so that several pools do not fight for the cores. 1 never builds a
# pool of threads at all, and so avoids the crash, at the price of speed. (From [environment].)
export OMP_NUM_THREADS=1

# Keeps OpenMP from pinning threads to cores. It has no effect on macOS, where OpenMP cannot pin
# threads. (From [environment].)
unset KMP_AFFINITY

# Makes Intel's MKL use GNU's OpenMP instead of bringing Intel's own. It matters where MKL is used,
# mostly on Linux; there is no MKL for Apple silicon.
export MKL_THREADING_LAYER=GNU

# Objective-C no longer ends a process that was forked while threads were running. On macOS 15.4 and
# later it is not enough: the process can die of a segmentation fault instead. The cure is
# multiprocessing's start method "spawn".
export OBJC_DISABLE_INITIALIZE_FORK_SAFETY=YES

# Hides the warning about leaked semaphores, which a helper prints after a crash and which is never
# its cause. It cleans nothing up; Vivarium counts what is left.
export PYTHONWARNINGS=ignore::UserWarning:multiprocessing.resource_tracker

# Added by Vivarium: Python prints its stack when it dies of a segmentation fault or an abort, so
# that the log says where.
export PYTHONFAULTHANDLER=1

# Added by Vivarium: every line reaches the log at once, so that the last ones are not lost in a
# buffer when Python dies.
export PYTHONUNBUFFERED=1
